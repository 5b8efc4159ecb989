import { readFileSync } from 'node:fs';
import { resolve } from 'node:path';
import type { ConfigProblem } from './config-error.ts';
import { isRecord } from './config-file.ts';
import type { RawConfig } from './schema.ts';

const FILES = ['tls_cert_file', 'tls_key_file'] as const;

/** What the settings of SIP over TLS lack: files, or files that can be read. */
export function judgeTls(
  raw: Readonly<Record<string, unknown>>,
  cwd: string,
  where: (name: string) => string,
): ConfigProblem[] {
  const sip = isRecord(raw['sip']) ? raw['sip'] : {};
  if (sip['tls_port'] === undefined) return [];
  return FILES.flatMap((key): ConfigProblem[] => {
    const path = sip[key];
    const name = `sip.${key}`;
    if (typeof path !== 'string') {
      const message = `sip.tls_port: expected ${name} beside it`;
      return [{ code: 'CONFIG_MALFORMED_SETTING', where: where('sip.tls_port'), message }];
    }
    if (isReadable(resolve(cwd, path))) return [];
    const message = `${name}: cannot read ${path}`;
    return [{ code: 'CONFIG_FILE_UNREADABLE', where: where(name), message }];
  });
}

/** The paths of those files, whatever folder the process is in later. */
export function tlsPaths(sip: RawConfig['sip'], cwd: string) {
  const { tls_cert_file: cert, tls_key_file: key } = sip;
  return {
    ...(cert === undefined ? {} : { tlsCertFile: resolve(cwd, cert) }),
    ...(key === undefined ? {} : { tlsKeyFile: resolve(cwd, key) }),
  };
}

export function isReadable(path: string): boolean {
  try {
    readFileSync(path);
    return true;
  } catch {
    return false;
  }
}
