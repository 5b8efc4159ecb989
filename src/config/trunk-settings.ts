import { readFileSync } from 'node:fs';
import { BlockList, isIP } from 'node:net';
import { resolve } from 'node:path';
import { isSupportedCountry } from 'libphonenumber-js';
import { Compile } from 'typebox/compile';
import type { Trunk, TrunkHost } from '../signaling/trunk/trunk.ts';
import type { ConfigProblem } from './config-error.ts';
import { isRecord } from './config-file.ts';
import { expectedOf, type SettingSchema } from './settings.ts';
import { isReadable } from './tls-settings.ts';
import { type RawTrunk, TrunkSchema } from './trunk-schema.ts';

export const TRUNKS_MAX = 256;

// oxlint-disable-next-line typescript/no-unsafe-type-assertion -- a schema is plain JSON; its types hide the keywords
const root = TrunkSchema as unknown as SettingSchema;
const schema = Compile(TrunkSchema);

/** The settings of a trunk by name, for the example file and messages. */
export const TRUNK_SETTINGS: Readonly<Record<string, SettingSchema>> = root.properties ?? {};

/** `trunks:` judged: what can be used, and what cannot. */
export interface JudgedTrunks {
  readonly trunks: readonly Trunk[];
  readonly problems: readonly ConfigProblem[];
  readonly secrets: readonly string[];
}

/**
 * Judges the list and reads the files it names. `where` gives the place of `['trunks', '0',
 * 'hosts']` in the file, for messages.
 *
 * @param cwd folder that relative paths start from
 */
export function judgeTrunks(
  value: unknown,
  where: (keys: readonly string[]) => string,
  cwd: string,
): JudgedTrunks {
  if (value === undefined) return { trunks: [], problems: [], secrets: [] };
  const problems: ConfigProblem[] = [];
  const trunks: Trunk[] = [];
  const secrets: string[] = [];
  const note = (keys: readonly string[], message: string, isUnknown = false) => {
    const code = isUnknown ? 'CONFIG_UNKNOWN_SETTING' : 'CONFIG_MALFORMED_SETTING';
    problems.push({ code, where: where(['trunks', ...keys]), message });
  };

  if (!Array.isArray(value) || value.length > TRUNKS_MAX) {
    note([], `trunks: expected a list of at most ${TRUNKS_MAX} trunks`);
    return { trunks, problems, secrets };
  }
  const names = new Set<string>();
  for (const [index, item] of value.entries()) {
    const judge = new TrunkJudge((keys, message, isUnknown) => {
      note([String(index), ...keys], message, isUnknown);
    }, cwd);
    const trunk = judge.read(item);
    if (trunk === null) continue;
    if (names.has(trunk.name))
      note([String(index), 'name'], 'trunk name: expected one not used above');
    names.add(trunk.name);
    trunks.push(trunk);
    for (const { password } of [trunk.credentials, trunk.inboundCredentials].filter(isSet)) {
      secrets.push(password);
    }
  }
  return { trunks, problems, secrets };
}

type Note = (keys: readonly string[], message: string, isUnknown?: boolean) => void;

/** Judges one item; every problem is noted, and then there is no trunk. */
class TrunkJudge {
  readonly #note: Note;
  readonly #cwd: string;
  #hasProblem = false;

  constructor(note: Note, cwd: string) {
    this.#note = (keys, message, isUnknown) => {
      this.#hasProblem = true;
      note(keys, message, isUnknown);
    };
    this.#cwd = cwd;
  }

  read(item: unknown): Trunk | null {
    if (!isRecord(item)) {
      this.#note([], 'trunk: expected a map of settings');
      return null;
    }
    const filled = withDefaults(item);
    this.#judgeShape(item, filled);
    if (this.#hasProblem || !schema.Check(filled)) return null;
    const raw = schema.Parse(filled);
    const trunk = this.#toTrunk(raw);
    this.#judgeSense(raw, trunk);
    return this.#hasProblem ? null : trunk;
  }

  #judgeShape(item: Readonly<Record<string, unknown>>, filled: unknown): void {
    for (const key of Object.keys(item)) {
      if (TRUNK_SETTINGS[key] === undefined) {
        this.#note([key], `there is no trunk setting "${key}"`, true);
      }
    }
    const named = new Set<string>();
    for (const { instancePath, params } of schema.Errors(filled)) {
      const [key = ''] = instancePath.slice(1).split('/');
      const missing = 'requiredProperties' in params ? params.requiredProperties : [];
      for (const name of key === '' ? missing : [key]) named.add(name);
    }
    for (const name of named) {
      const setting = TRUNK_SETTINGS[name];
      if (setting === undefined) continue;
      this.#note(
        [name],
        `trunk ${name}: expected ${expectedOf({ schema: setting })}${got(item[name], setting)}`,
      );
    }
  }

  /** What one setting alone cannot show. */
  #judgeSense(raw: RawTrunk, trunk: Trunk): void {
    for (const source of raw.allowed_sources) {
      if (!isSource(source)) {
        this.#note(
          ['allowed_sources'],
          `trunk allowed_sources: expected addresses or networks, got "${source}"`,
        );
      }
    }
    if (raw.hosts.some((host) => parseHost(host) === null)) {
      this.#note(['hosts'], 'trunk hosts: expected ports from 1 to 65535');
    }
    if (raw.register && (trunk.username === null || trunk.credentials === null)) {
      this.#note(['register'], 'trunk register: expected username and password beside it');
    }
    if ((raw.inbound_username === undefined) !== (trunk.inboundCredentials === null)) {
      this.#note(
        ['inbound_username'],
        'trunk inbound_username: expected inbound_password beside it',
      );
    }
    if (raw.caller_id_policy === 'fixed' && raw.caller_id_number === undefined) {
      this.#note(
        ['caller_id_policy'],
        'trunk caller_id_policy: expected caller_id_number beside "fixed"',
      );
    }
    if (raw.session_expires_seconds > 0 && raw.session_expires_seconds < 90) {
      this.#note(
        ['session_expires_seconds'],
        'trunk session_expires_seconds: expected 0, or 90 and more',
      );
    }
    if (raw.external_address !== undefined && isIP(raw.external_address) === 0) {
      this.#note(['external_address'], 'trunk external_address: expected an IP address');
    }
    if (raw.country !== undefined && !isSupportedCountry(raw.country)) {
      this.#note(['country'], 'trunk country: expected a country code such as ES');
    }
  }

  #toTrunk(raw: RawTrunk): Trunk {
    const [first, ...others] = raw.hosts.map((host) => parseHost(host) ?? { host, port: null });
    if (first === undefined) throw new TypeError('a trunk was judged and has no host');
    const password = this.#secret(raw.password, raw.password_file, 'password');
    const inbound = this.#secret(
      raw.inbound_password,
      raw.inbound_password_file,
      'inbound_password',
    );
    const username = raw.username ?? null;
    const authUsername = raw.auth_username ?? username;
    const isAuthenticated = authUsername !== null && password !== null;
    return {
      name: raw.name,
      hosts: [first, ...others],
      transport: raw.transport,
      domain: raw.domain ?? first.host,
      username,
      credentials: isAuthenticated
        ? { username: authUsername, password, realm: raw.realm ?? null }
        : null,
      registration: raw.register ? { expiresSeconds: raw.register_expires_seconds } : null,
      allowedSources: raw.allowed_sources,
      inboundCredentials:
        raw.inbound_username === undefined || inbound === null
          ? null
          : { username: raw.inbound_username, password: inbound },
      ...outboundOf(raw),
      ...mediaOf(raw),
      tls: { verify: raw.tls_verify, caFile: this.#caFile(raw) },
      numbers: new Map(Object.entries(raw.numbers)),
      agent: raw.agent ?? null,
    };
  }

  #caFile({ tls_ca_file: file }: RawTrunk): string | null {
    if (file === undefined) return null;
    const path = resolve(this.#cwd, file);
    if (!isReadable(path)) this.#note(['tls_ca_file'], `trunk tls_ca_file: cannot read ${file}`);
    return path;
  }

  #secret(value: string | undefined, file: string | undefined, name: string): string | null {
    if (file === undefined) return value ?? null;
    if (value !== undefined) {
      this.#note([`${name}_file`], `trunk ${name} is set too; expected only one of them`);
      return null;
    }
    try {
      const text = readFileSync(resolve(this.#cwd, file), 'utf8').trim();
      if (text !== '') return text;
      this.#note([`${name}_file`], `trunk ${name}_file: ${file} is empty`);
    } catch {
      this.#note([`${name}_file`], `trunk ${name}_file: cannot read ${file}`);
    }
    return null;
  }
}

function outboundOf(raw: RawTrunk) {
  const own = Object.keys(raw.numbers).find((number) => /^\+[1-9][0-9]{3,14}$/.test(number));
  const refreshers = { auto: null, us: 'uac', them: 'uas' } as const;
  const expiresSeconds = raw.session_expires_seconds;
  return {
    callerId: {
      policy: raw.caller_id_policy,
      number: raw.caller_id_number ?? own ?? null,
      header: raw.caller_id_header,
    },
    country: raw.country ?? null,
    numberFormat: raw.number_format,
    outboundPrefixes: raw.outbound_prefixes,
    channelsMax: raw.channels_max,
    callsPerSecond: raw.calls_per_second,
    noAnswerSeconds: raw.no_answer_seconds,
    externalAddress: raw.external_address ?? null,
    sessionTimer:
      expiresSeconds === 0
        ? null
        : { expiresSeconds, refresher: refreshers[raw.session_refresher] },
    optionsSeconds: raw.options_seconds,
    keepAliveSeconds: raw.keep_alive_seconds,
    prefersTcp: raw.large_requests_by_tcp,
  };
}

const mediaOf = ({ codecs, dtmf, srtp }: RawTrunk) => ({
  codecs: [...new Set(codecs)],
  dtmf,
  srtp,
});

const isSet = <T>(value: T | null): value is T => value !== null;

function withDefaults(item: Readonly<Record<string, unknown>>): Record<string, unknown> {
  const filled: Record<string, unknown> = {};
  for (const [name, { default: byDefault }] of Object.entries(TRUNK_SETTINGS)) {
    // `name:` with nothing behind it is a setting left unset.
    const value = item[name] ?? byDefault;
    if (value !== undefined) filled[name] = value;
  }
  return filled;
}

function got(value: unknown, { secret }: SettingSchema): string {
  if (secret === true || value === null || typeof value === 'object') return '';
  const shown = JSON.stringify(value);
  return shown === undefined ? '' : `, got ${shown.slice(0, 80)}`;
}

/** `sip.example.org:5080` or `[2001:db8::1]:5080`; null for a port that is none. */
function parseHost(text: string): TrunkHost | null {
  const [, bracketed, name, digits] = /^(?:\[([^\]]+)\]|([^:]+))(?::([0-9]+))?$/.exec(text) ?? [];
  const host = bracketed ?? name ?? text;
  if (digits === undefined) return { host, port: null };
  const port = Number(digits);
  return port >= 1 && port <= 65_535 ? { host, port } : null;
}

function isSource(source: string): boolean {
  const [address = '', prefix] = source.split('/');
  const family = isIP(address);
  if (family === 0) return false;
  if (prefix === undefined) return true;
  const bits = Number(prefix);
  if (bits > (family === 6 ? 128 : 32)) return false;
  new BlockList().addSubnet(address, bits, family === 6 ? 'ipv6' : 'ipv4');
  return true;
}
