import { ConfigSchema } from './schema.ts';

/** What JSON Schema and our own keywords say about one setting. */
export interface SettingSchema {
  readonly type?: string | undefined;
  readonly default?: unknown;
  readonly description?: string;
  readonly minimum?: number;
  readonly maximum?: number;
  readonly enum?: readonly string[];
  /** Words for what a pattern wants. */
  readonly expected?: string;
  readonly secret?: boolean;
  readonly properties?: Readonly<Record<string, SettingSchema>>;
  readonly items?: SettingSchema;
}

/** One setting: a leaf of the schema. */
export interface Setting {
  /** `http.port`, `data_dir`. */
  readonly name: string;
  readonly section: string | null;
  readonly key: string;
  /** `TRUNKLINE_HTTP_PORT`; null for maps and `trunks`, which only a file can hold. */
  readonly env: string | null;
  readonly isSecret: boolean;
  readonly schema: SettingSchema;
}

export const ENV_PREFIX = 'TRUNKLINE_';

// oxlint-disable-next-line typescript/no-unsafe-type-assertion -- a schema is plain JSON; its types hide the keywords
const root = ConfigSchema as unknown as SettingSchema;

/** Sections in the order of the schema; settings without a section come last. */
export const SECTIONS: readonly string[] = Object.entries(root.properties ?? {})
  .filter(([, schema]) => schema.properties !== undefined)
  .map(([name]) => name);

export const SETTINGS: readonly Setting[] = Object.entries(root.properties ?? {}).flatMap(
  ([name, schema]) =>
    schema.properties === undefined
      ? [toSetting(null, name, schema)]
      : Object.entries(schema.properties).map(([key, leaf]) => toSetting(name, key, leaf)),
);

export function sectionDescription(section: string): string {
  return root.properties?.[section]?.description ?? '';
}

function toSetting(section: string | null, key: string, schema: SettingSchema): Setting {
  const name = section === null ? key : `${section}.${key}`;
  const isMap =
    schema.type === 'object' || (schema.type === 'array' && schema.items?.type === undefined);
  return {
    name,
    section,
    key,
    env: isMap ? null : ENV_PREFIX + name.replace('.', '_').toUpperCase(),
    isSecret: schema.secret === true,
    schema,
  };
}

/** What a setting wants, for a message: `a whole number from 0 to 65535`. */
export function expectedOf({ schema }: Pick<Setting, 'schema'>): string {
  if (schema.expected !== undefined) return schema.expected;
  if (schema.enum !== undefined) return `one of ${schema.enum.join(', ')}`;
  if (schema.type === 'integer' || schema.type === 'number') {
    const what = schema.type === 'integer' ? 'a whole number' : 'a number';
    return `${what} from ${schema.minimum} to ${schema.maximum}`;
  }
  return WANTED[schema.type ?? ''] ?? 'a text that is not empty';
}

const WANTED: Readonly<Record<string, string>> = {
  boolean: 'true or false',
  array: 'a list of texts',
  object: 'a map of text to text',
};
