import { readFileSync } from 'node:fs';
import { isMap, isNode, isSeq, LineCounter, parseDocument, type YAMLMap } from 'yaml';
import { type ConfigProblem, toConfigError } from './config-error.ts';

const FILE_BYTES_MAX = 1_048_576;

/** A configuration file, read but not yet judged. */
export interface ConfigFile {
  readonly path: string;
  readonly content: Readonly<Record<string, unknown>>;
  /** `config/trunkline.yaml:3:7` of a key such as `['http', 'port']` or `['trunks', '0']`, or of what holds it. */
  where(keys: readonly string[]): string;
}

/** Throws `ConfigError` when the file cannot be read or is not a YAML map. */
export function readConfigFile(path: string): ConfigFile {
  const source = readSource(path);
  const lines = new LineCounter();
  const document = parseDocument(source, { lineCounter: lines, prettyErrors: false });
  const at = (offset: number) => {
    const { line, col } = lines.linePos(offset);
    return `${path}:${line}:${col}`;
  };

  const problems = document.errors.map((error): ConfigProblem => {
    // The parser's own sentence may quote the line, and a line may hold a secret.
    const code = error.code.toLowerCase().replaceAll('_', ' ');
    return { code: 'CONFIG_NOT_YAML', where: at(error.pos[0]), message: `not YAML: ${code}` };
  });
  const [first, ...others] = problems;
  if (first !== undefined) throw toConfigError([first, ...others]);

  const top = document.contents;
  if (top !== null && !isMap(top)) {
    throw malformed(at(top.range[0]), 'expected a map of sections');
  }
  return {
    path,
    content: top === null ? {} : toPlain(document.toJS({ maxAliasCount: 100 }), path),
    where: (keys) => (top === null ? path : at(offsetOf(top, keys))),
  };
}

function readSource(path: string): string {
  try {
    const bytes = readFileSync(path);
    if (bytes.length > FILE_BYTES_MAX) throw malformed(path, `larger than ${FILE_BYTES_MAX} bytes`);
    return bytes.toString('utf8');
  } catch (error) {
    if (error instanceof Error && 'syscall' in error) {
      const why = 'code' in error ? String(error.code) : 'unreadable';
      throw toConfigError([
        { code: 'CONFIG_FILE_UNREADABLE', where: path, message: `cannot be read (${why})` },
      ]);
    }
    throw error;
  }
}

function malformed(where: string, message: string) {
  return toConfigError([{ code: 'CONFIG_MALFORMED_SETTING', where, message }]);
}

function toPlain(value: unknown, path: string): Readonly<Record<string, unknown>> {
  if (!isRecord(value)) throw malformed(path, 'expected a map of sections');
  return value;
}

export function isRecord(value: unknown): value is Readonly<Record<string, unknown>> {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

/** Offset of the deepest key that exists on the way to `keys`. */
function offsetOf(map: YAMLMap.Parsed, keys: readonly string[]): number {
  let offset = map.range[0];
  let level: unknown = map;
  for (const key of keys) {
    if (isSeq(level)) {
      const item = level.items[Number(key)];
      if (!isNode(item)) break;
      offset = item.range?.[0] ?? offset;
      level = item;
      continue;
    }
    if (!isMap(level)) break;
    const pair = level.items.find((item) => isNode(item.key) && String(item.key) === key);
    if (pair === undefined || !isNode(pair.key)) break;
    offset = pair.key.range?.[0] ?? offset;
    level = pair.value;
  }
  return offset;
}
