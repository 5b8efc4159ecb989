import { spawn, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { existsSync } from 'node:fs';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { connect } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';

import type { TestCertificate } from './certificates.ts';
import { freeTcpPort, freeUdpPort } from './free-port.ts';

/** A Kamailio that is a registrar and a record-routing proxy on loopback. */
export interface Kamailio {
  readonly port: number;
  /** By TLS; 0 where that was not asked for. */
  readonly tlsPort: number;
  close(): Promise<void>;
}

export interface KamailioOptions {
  /** Every user's, at the registrar and for calls out. */
  readonly password: string;
  readonly algorithm: 'MD5' | 'SHA-256';
  /** Nonces are stale after this. */
  readonly nonceSeconds: number;
  readonly minExpiresSeconds: number;
  /** Where numbers are routed to. */
  readonly calleePort: number;
  /** Listens by TLS too. */
  readonly certificate?: TestCertificate;
}

const MISSING = 'Kamailio is not installed (Debian: apt-get install kamailio)';
const STARTED_WITHIN_MS = 10_000;

/** Skips a suite, visibly, where Kamailio is not installed. Call it first. */
export function needsKamailio(context: Mocha.Context): void {
  if (spawnSync('kamailio', ['-v'], { stdio: 'ignore' }).error === undefined) return;
  process.stderr.write(`skipped: ${MISSING}\n`);
  context.skip();
}

/** Skips a test, visibly, where Kamailio cannot speak TLS. */
export function needsKamailioTls(context: Mocha.Context): void {
  needsKamailio(context);
  const paths = [
    '/usr/lib/x86_64-linux-gnu',
    '/usr/lib/aarch64-linux-gnu',
    '/usr/lib',
    '/usr/lib64',
  ];
  if (paths.some((path) => existsSync(`${path}/kamailio/modules/tls.so`))) return;
  process.stderr.write(
    'skipped: Kamailio has no TLS (Debian: apt-get install kamailio-tls-modules)\n',
  );
  context.skip();
}

export async function startKamailio(options: KamailioOptions): Promise<Kamailio> {
  const folder = await mkdtemp(join(tmpdir(), 'kamailio-'));
  const port = await freeUdpPort();
  const tlsPort = options.certificate === undefined ? 0 : await freeTcpPort();
  const file = join(folder, 'kamailio.cfg');
  await writeFile(file, configuration(port, tlsPort, options));
  const args = [
    '-DD',
    '-E',
    '-m',
    '32',
    '-M',
    '4',
    '-Y',
    folder,
    '-P',
    join(folder, 'pid'),
    '-f',
    file,
  ];
  const child = spawn('kamailio', args, { stdio: ['ignore', 'ignore', 'pipe'] });
  let log = '';
  child.stderr.on('data', (data: Buffer) => {
    log = (log + data.toString('utf8')).slice(-4_000);
  });
  const exited = once(child, 'exit');
  const close = async () => {
    child.kill('SIGTERM');
    const timer = setTimeout(() => child.kill('SIGKILL'), 5_000);
    await exited;
    clearTimeout(timer);
    await rm(folder, { recursive: true, force: true });
  };
  try {
    await answersOn(port, () => child.exitCode !== null);
  } catch {
    await close();
    throw new Error(`Kamailio did not start: ${log}`);
  }
  return { port, tlsPort, close };
}

async function answersOn(port: number, isDead: () => boolean): Promise<void> {
  const endAtMs = performance.now() + STARTED_WITHIN_MS;
  for (;;) {
    const socket = connect({ port, host: '127.0.0.1' });
    try {
      await once(socket, 'connect');
      return;
    } catch (error) {
      if (isDead() || performance.now() > endAtMs) throw error;
      await delay(50);
    } finally {
      socket.destroy();
    }
  }
}

const MODULES = [
  'tm',
  'sl',
  'rr',
  'pv',
  'maxfwd',
  'textops',
  'siputils',
  'usrloc',
  'registrar',
  'auth',
];

function configuration(port: number, tlsPort: number, options: KamailioOptions): string {
  const { password, algorithm, nonceSeconds, minExpiresSeconds, calleePort } = options;
  return `#!KAMAILIO
debug=0
log_stderror=yes
children=1
tcp_children=1
auto_aliases=no
alias="carrier.test"
listen=udp:127.0.0.1:${port}
listen=tcp:127.0.0.1:${port}
${tlsConfiguration(tlsPort, options)}
${MODULES.map((name) => `loadmodule "${name}.so"`).join('\n')}
modparam("auth", "algorithm", "${algorithm}")
modparam("auth", "qop", "auth")
modparam("auth", "nonce_expire", ${nonceSeconds})
modparam("registrar", "min_expires", ${minExpiresSeconds})
modparam("registrar", "max_expires", 7200)
modparam("usrloc", "db_mode", 0)

request_route {
  force_rport();
  if (!mf_process_maxfwd_header("10")) { sl_send_reply("483", "Too Many Hops"); exit; }
  if (has_totag()) {
    if (loose_route()) { t_relay(); exit; }
    if (is_method("ACK")) { if (t_check_trans()) t_relay(); exit; }
    sl_send_reply("404", "Not Here");
    exit;
  }
  if (is_method("CANCEL")) { if (t_check_trans()) t_relay(); exit; }
  if (is_method("OPTIONS")) { sl_send_reply("200", "OK"); exit; }
  if (is_method("REGISTER")) {
    if (!pv_www_authenticate("$td", "${password}", "0")) { www_challenge("$td", "1"); exit; }
    # Who registers over a connection is called over it.
    if (proto == TLS) force_tcp_alias();
    save("location");
    exit;
  }
  if (!is_method("INVITE")) { sl_send_reply("405", "Method Not Allowed"); exit; }
  record_route();
  if ($rU =~ "^[+0-9]+$") {
    if (!pv_proxy_authenticate("$fd", "${password}", "0")) { proxy_challenge("$fd", "1"); exit; }
    consume_credentials();
    $du = "sip:127.0.0.1:${calleePort}";
  } else if (!lookup("location")) {
    sl_send_reply("404", "Not Registered");
    exit;
  }
  t_relay();
}
`;
}

function tlsConfiguration(port: number, { certificate }: KamailioOptions): string {
  if (certificate === undefined) return '';
  return `enable_tls=yes
listen=tls:127.0.0.1:${port}
loadmodule "tls.so"
modparam("tls", "private_key", "${certificate.keyFile}")
modparam("tls", "certificate", "${certificate.certFile}")
modparam("tls", "tls_method", "TLSv1.2+")`;
}
