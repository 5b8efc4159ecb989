import { execFileSync, spawnSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

/** A certificate and its key, PEM texts and files. */
export interface TestCertificate {
  readonly cert: string;
  readonly key: string;
  readonly certFile: string;
  readonly keyFile: string;
}

/** Skips a suite, visibly, where openssl is not installed. Call it first. */
export function needsOpenssl(context: Mocha.Context): void {
  if (spawnSync('openssl', ['version'], { stdio: 'ignore' }).error === undefined) return;
  process.stderr.write('skipped: openssl is not installed (Debian: apt-get install openssl)\n');
  context.skip();
}

/** A certification authority of a test's own, made by openssl in a folder of its own. */
export class TestAuthority {
  readonly caFile: string;
  readonly ca: string;
  readonly #folder = mkdtempSync(join(tmpdir(), 'trunkline-ca-'));
  #count = 0;

  constructor() {
    this.caFile = join(this.#folder, 'ca.pem');
    const subject = ['-subj', '/CN=An authority of tests', '-days', '30'];
    const files = ['-keyout', this.#path('ca.key'), '-out', this.caFile];
    openssl('req', '-x509', ...NEW_KEY, ...files, ...subject);
    this.ca = readFileSync(this.caFile, 'utf8');
  }

  /** @param names like `DNS:carrier.test`, `URI:sip:carrier.test`, `IP:127.0.0.1` */
  issue(names: readonly string[], days = 7): TestCertificate {
    this.#count += 1;
    const [keyFile, certFile] = [`${this.#count}.key`, `${this.#count}.pem`].map((name) =>
      this.#path(name),
    );
    const [request, extensions] = [this.#path('csr'), this.#path('ext')];
    if (keyFile === undefined || certFile === undefined) throw new TypeError('no file names');
    writeFileSync(extensions, `subjectAltName=${names.join(',')}\n`);
    openssl('req', ...NEW_KEY, '-keyout', keyFile, '-out', request, '-subj', '/CN=a test');
    const by = ['-CA', this.caFile, '-CAkey', this.#path('ca.key'), '-CAcreateserial'];
    const how = ['-days', String(days), '-extfile', extensions, '-out', certFile];
    openssl('x509', '-req', '-in', request, ...by, ...how);
    const [cert, key] = [certFile, keyFile].map((file) => readFileSync(file, 'utf8'));
    return { cert: cert ?? '', key: key ?? '', certFile, keyFile };
  }

  remove(): void {
    rmSync(this.#folder, { recursive: true, force: true });
  }

  #path(name: string): string {
    return join(this.#folder, name);
  }
}

const NEW_KEY = ['-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:P-256', '-nodes'];

function openssl(...args: readonly string[]): void {
  execFileSync('openssl', args, { stdio: 'ignore' });
}
