import { existsSync, readFileSync } from 'node:fs';
import { resolve } from 'node:path';
import { Compile } from 'typebox/compile';
import { type ConfigProblem, toConfigError } from './config/config-error.ts';
import { type ConfigFile, isRecord, readConfigFile } from './config/config-file.ts';
import { ConfigSchema, type RawConfig } from './config/schema.ts';
import { ENV_PREFIX, expectedOf, SECTIONS, SETTINGS, type Setting } from './config/settings.ts';
import { judgeTls, tlsPaths } from './config/tls-settings.ts';
import { judgeTrunks, type JudgedTrunks } from './config/trunk-settings.ts';
import type { LlmSettings, SttSettings, TtsSettings } from './model/provider.ts';
import type { Trunk } from './signaling/trunk/trunk.ts';

export { ConfigError } from './config/config-error.ts';

type Camel<Name extends string> = Name extends `${infer Head}_${infer Tail}`
  ? `${Head}${Capitalize<Camel<Tail>>}`
  : Name;
type CamelKeys<T> = { readonly [Key in keyof T as Camel<Key & string>]: T[Key] };

/** First and last port of a range, both usable. */
export interface PortRange {
  readonly first: number;
  readonly last: number;
}

/** The settings in force: names as in the schema, in camel case. */
export interface Config {
  readonly http: CamelKeys<RawConfig['http']>;
  readonly sip: CamelKeys<RawConfig['sip']>;
  readonly media: Omit<CamelKeys<RawConfig['media']>, 'ports'> & { readonly ports: PortRange };
  readonly stt: SttSettings;
  readonly llm: LlmSettings;
  readonly tts: TtsSettings;
  readonly mail: CamelKeys<RawConfig['mail']>;
  readonly webhooks: CamelKeys<RawConfig['webhooks']>;
  readonly limits: CamelKeys<RawConfig['limits']>;
  readonly billing: CamelKeys<RawConfig['billing']>;
  readonly caps: CamelKeys<RawConfig['caps']>;
  readonly log: CamelKeys<RawConfig['log']>;
  readonly dataDir: string;
  /** Path of the sqlite file. */
  readonly databaseFile: string;
  readonly adminKey: string | null;
  /** Hexadecimal; null: kept in the data folder. */
  readonly sealingKey: string | null;
  /** Dialed number or name → agent id. */
  readonly numbers: ReadonlyMap<string, string>;
  readonly trunks: readonly Trunk[];
  /** Path of the file that was read, null when there was none. */
  readonly file: string | null;
  /** Values that must never be written anywhere: for the logger. */
  readonly secrets: readonly string[];
}

export type Environment = Readonly<Record<string, string | undefined>>;

/** Where a setting's value was found, for messages. */
interface Found {
  readonly value: unknown;
  readonly where: string;
}

const DEFAULT_FILE = 'config/trunkline.yaml';
const OPENAI_BASE_URL = 'https://api.openai.com/v1';
const schema = Compile(ConfigSchema);

/** No settings: the name of the file, and what the command line reads. */
const OTHER_VARIABLES = ['CONFIG', 'URL', 'API_KEY'].map((name) => `${ENV_PREFIX}${name}`);

/**
 * Reads the file (by `TRUNKLINE_CONFIG`, else `config/trunkline.yaml` if there is one) and
 * then the environment, which wins. `TRUNKLINE_X_FILE` names a file that holds the value of
 * `TRUNKLINE_X`. Throws `ConfigError` for anything unknown or malformed.
 *
 * @param cwd folder that relative paths start from
 */
export function loadConfig(env: Environment, cwd: string = process.cwd()): Config {
  const problems: ConfigProblem[] = [];
  const file = findFile(env, cwd);
  const found = new Map<string, Found>();
  if (file !== null) collectFromFile(file, found, problems);
  collectFromEnvironment(env, cwd, found, problems);

  const raw = assemble(found);
  problems.push(...judge(raw, found));
  problems.push(...judgeTls(raw, cwd, (name) => found.get(name)?.where ?? name));
  const trunks = judgeTrunks(found.get('trunks')?.value, (keys) => file?.where(keys) ?? '', cwd);
  problems.push(...trunks.problems);
  const [first, ...others] = problems;
  if (first !== undefined) throw toConfigError([first, ...others]);
  return toConfig(schema.Parse(raw), { file, cwd, found, trunks });
}

function findFile(env: Environment, cwd: string): ConfigFile | null {
  const named = env[`${ENV_PREFIX}CONFIG`];
  if (named !== undefined && named !== '') return readConfigFile(resolve(cwd, named));
  return existsSync(resolve(cwd, DEFAULT_FILE)) ? readConfigFile(resolve(cwd, DEFAULT_FILE)) : null;
}

function collectFromFile(
  file: ConfigFile,
  found: Map<string, Found>,
  problems: ConfigProblem[],
): void {
  const take = (name: string, keys: readonly string[], value: unknown) => {
    const where = file.where(keys);
    if (SETTINGS.some((setting) => setting.name === name)) {
      // `name:` with nothing behind it is a setting left unset.
      if (value !== null) found.set(name, { value, where });
    } else {
      problems.push({ code: 'CONFIG_UNKNOWN_SETTING', where, message: unknown(name) });
    }
  };

  for (const [key, value] of Object.entries(file.content)) {
    if (!SECTIONS.includes(key)) take(key, [key], value);
    else if (isRecord(value)) {
      for (const [inner, leaf] of Object.entries(value))
        take(`${key}.${inner}`, [key, inner], leaf);
    } else if (value !== null) {
      const message = 'expected a map of settings';
      problems.push({ code: 'CONFIG_MALFORMED_SETTING', where: file.where([key]), message });
    }
  }
}

function unknown(name: string): string {
  const near = SETTINGS.find(
    ({ name: known }) => known.split('.').at(-1) === name.split('.').at(-1),
  );
  const hint = near === undefined ? '' : `; did you mean ${near.name}?`;
  return `there is no setting "${name}"${hint}`;
}

function collectFromEnvironment(
  env: Environment,
  cwd: string,
  found: Map<string, Found>,
  problems: ConfigProblem[],
): void {
  for (const [variable, text] of Object.entries(env)) {
    // An empty variable is how compose files say "not set".
    if (text === undefined || text === '' || !variable.startsWith(ENV_PREFIX)) continue;
    if (OTHER_VARIABLES.includes(variable)) continue;
    // A setting may itself be the name of a file: `sip.tls_cert_file`.
    const isPath = variable.endsWith('_FILE') && !SETTINGS.some(({ env: own }) => own === variable);
    const wanted = isPath ? variable.slice(0, -'_FILE'.length) : variable;
    const setting = SETTINGS.find(({ env: known }) => known === wanted);
    const where = `environment ${variable}`;
    if (setting === undefined) {
      const message = 'there is no such setting';
      problems.push({ code: 'CONFIG_UNKNOWN_SETTING', where, message });
      continue;
    }
    if (isPath && env[wanted] !== undefined) {
      const message = `${wanted} is set too; expected only one of them`;
      problems.push({ code: 'CONFIG_MALFORMED_SETTING', where, message });
      continue;
    }
    const value = isPath ? readValue(resolve(cwd, text), where, problems) : text;
    if (value !== null) found.set(setting.name, { value: parseText(setting, value), where });
  }
}

function readValue(path: string, where: string, problems: ConfigProblem[]): string | null {
  try {
    return readFileSync(path, 'utf8').trim();
  } catch {
    problems.push({ code: 'CONFIG_FILE_UNREADABLE', where, message: `cannot read ${path}` });
    return null;
  }
}

/** What a text stands for; what it cannot stand for stays a text and is judged as one. */
function parseText({ schema: { type } }: Setting, text: string): unknown {
  const trimmed = text.trim();
  if (type === 'array') {
    return trimmed === '' ? [] : trimmed.split(',').map((item) => item.trim());
  }
  const isNumber = (type === 'integer' || type === 'number') && /^-?\d+(\.\d+)?$/.test(trimmed);
  return isNumber ? Number(trimmed) : text;
}

function assemble(found: ReadonlyMap<string, Found>): Record<string, unknown> {
  const raw: Record<string, Record<string, unknown>> = {};
  const top: Record<string, unknown> = {};
  for (const section of SECTIONS) raw[section] = {};
  for (const { name, section, key, schema: leaf } of SETTINGS) {
    const value = found.get(name)?.value ?? leaf.default;
    if (value === undefined) continue;
    const holder = section === null ? top : raw[section];
    if (holder !== undefined) holder[key] = value;
  }
  return { ...raw, ...top };
}

/** Problems of the values, one for each setting. */
function judge(raw: unknown, found: ReadonlyMap<string, Found>): ConfigProblem[] {
  const named = new Set<string>();
  if (!schema.Check(raw)) {
    for (const { instancePath } of schema.Errors(raw)) {
      const [section = '', key = ''] = instancePath.slice(1).split('/');
      named.add(SECTIONS.includes(section) ? `${section}.${key}` : section);
    }
  }
  if (!named.has('media.ports') && parsePorts(valueOf(raw, 'media', 'ports')) === null) {
    named.add('media.ports');
  }
  // `trunks` is judged apart, item by item.
  return SETTINGS.filter(({ name }) => named.has(name) && name !== 'trunks').map((setting) => ({
    code: 'CONFIG_MALFORMED_SETTING',
    where: found.get(setting.name)?.where ?? setting.name,
    message: `${setting.name}: expected ${expectedOf(setting)}${got(setting, found)}`,
  }));
}

function got(setting: Setting, found: ReadonlyMap<string, Found>): string {
  const value = found.get(setting.name)?.value;
  if (setting.isSecret || (typeof value === 'object' && value !== null)) return '';
  const shown = JSON.stringify(value);
  return shown === undefined ? '' : `, got ${shown.slice(0, 80)}`;
}

function valueOf(raw: unknown, section: string, key: string): unknown {
  const holder = isRecord(raw) ? raw[section] : undefined;
  return isRecord(holder) ? holder[key] : undefined;
}

/** `40000-40999`; null unless both are ports, in order, with room for one call. */
function parsePorts(text: unknown): PortRange | null {
  if (typeof text !== 'string') return null;
  const [first = 0, last = 0] = text.split('-').map(Number);
  return first >= 1024 && last <= 65_535 && last > first ? { first, last } : null;
}

/** Where the settings came from. */
interface Sources {
  readonly file: ConfigFile | null;
  readonly cwd: string;
  readonly found: ReadonlyMap<string, Found>;
  readonly trunks: JudgedTrunks;
}

function toConfig(raw: RawConfig, { file, cwd, found, trunks }: Sources): Config {
  const dataDir = resolve(cwd, raw.data_dir);
  const ports = parsePorts(raw.media.ports);
  if (ports === null) throw new TypeError('media.ports was judged and is no range');
  return {
    http: camelKeys(raw.http),
    sip: { ...camelKeys(raw.sip), ...tlsPaths(raw.sip, cwd) },
    media: { ...camelKeys(raw.media), ports },
    stt: toStt(raw.stt),
    llm: toLlm(raw.llm),
    tts: toTts(raw.tts),
    mail: camelKeys(raw.mail),
    webhooks: camelKeys(raw.webhooks),
    limits: camelKeys(raw.limits),
    billing: camelKeys(raw.billing),
    caps: camelKeys(raw.caps),
    log: camelKeys(raw.log),
    dataDir,
    databaseFile:
      raw.database_url === undefined
        ? resolve(dataDir, 'trunkline.sqlite')
        : resolve(cwd, raw.database_url.slice('sqlite:'.length)),
    adminKey: raw.admin_key ?? null,
    sealingKey: raw.sealing_key ?? null,
    numbers: new Map(Object.entries(raw.numbers)),
    trunks: trunks.trunks,
    file: file?.path ?? null,
    secrets: SETTINGS.filter(({ isSecret }) => isSecret)
      .map(({ name }) => found.get(name)?.value)
      .filter((value) => typeof value === 'string')
      .flatMap((value) => secretsIn(value))
      .concat(trunks.secrets),
  };
}

/** A secret, or the secret inside an address such as `drachtio://:secret@host`. */
function secretsIn(value: string): string[] {
  const inside = /^[a-z]+:\/\/[^@]*?:([^@]+)@/.exec(value)?.[1];
  if (inside !== undefined) return [inside];
  return /^(embedded$|sqlite:)/.test(value) ? [] : [value];
}

function camelKeys<T extends object>(raw: T): CamelKeys<T> {
  const entries = Object.entries(raw).map(([key, value]) => [
    key.replaceAll(/_([a-z])/g, (_, letter: string) => letter.toUpperCase()),
    value,
  ]);
  // oxlint-disable-next-line typescript/no-unsafe-type-assertion -- CamelKeys is this very mapping
  return Object.fromEntries(entries) as CamelKeys<T>;
}

function toStt(raw: RawConfig['stt']): SttSettings {
  if (!isOutside(raw)) return { provider: 'embedded' };
  return { ...outside(raw), model: raw.model, timeoutMs: raw.timeout_ms };
}

function toLlm(raw: RawConfig['llm']): LlmSettings {
  if (!isOutside(raw)) return { provider: 'phrasebook' };
  return {
    ...outside(raw),
    model: raw.model,
    temperature: raw.temperature ?? null,
    maxTokens: raw.max_tokens,
    timeoutMs: raw.timeout_ms,
  };
}

function toTts(raw: RawConfig['tts']): TtsSettings {
  if (!isOutside(raw)) return { provider: 'embedded' };
  return { ...outside(raw), model: raw.model, voice: raw.voice, timeoutMs: raw.timeout_ms };
}

interface RawProvider {
  readonly provider?: string;
  readonly base_url?: string;
  readonly api_key?: string;
}

function isOutside({ provider, base_url: url }: RawProvider): boolean {
  return provider === undefined ? url !== undefined : provider === 'openai';
}

function outside(raw: RawProvider) {
  const baseUrl = (raw.base_url ?? OPENAI_BASE_URL).replace(/\/+$/, '');
  return { provider: 'openai', baseUrl, apiKey: raw.api_key ?? '' } as const;
}
