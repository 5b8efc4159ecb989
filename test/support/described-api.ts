import { Compile, type Validator } from 'typebox/compile';

export type Schema = Readonly<Record<string, unknown>>;
export interface Parameter {
  readonly name: string;
  readonly in: 'path' | 'query' | 'header';
  readonly required?: boolean;
  readonly schema: Schema;
}
interface Content {
  readonly content?: Readonly<Record<string, { readonly schema?: Schema }>>;
}
interface RawOperation {
  readonly operationId?: string;
  readonly security?: readonly Readonly<Record<string, unknown>>[];
  readonly parameters?: readonly Parameter[];
  readonly requestBody?: Content;
  readonly responses: Readonly<Record<string, Content>>;
}
interface Description {
  readonly paths: Readonly<Record<string, Readonly<Record<string, RawOperation>>>>;
  readonly components?: { readonly schemas?: Readonly<Record<string, Schema>> };
}

/** One operation of `/openapi.json`, with its shapes in full. */
export interface Operation {
  readonly method: string;
  readonly path: string;
  readonly name: string;
  /** Takes a key of ours. */
  readonly isKeyed: boolean;
  readonly parameters: readonly Parameter[];
  /** Of a JSON body; null: it takes none. */
  readonly body: Schema | null;
  readonly statuses: ReadonlySet<number>;
  /** What is wrong with this answer; null: nothing. */
  complaint(status: number, contentType: string, text: string): string | null;
}

/** Every operation that a description promises. */
export function operationsOf(document: unknown): Operation[] {
  const description = document as Description;
  const shared = description.components?.schemas ?? {};
  return Object.entries(description.paths).flatMap(([path, methods]) =>
    Object.entries(methods).map(([method, raw]) => toOperation(method, path, raw, shared)),
  );
}

/**
 * What is wrong with an answer to that request, by the description; null: nothing. A request to
 * what is not described (pages, streams of other kinds) is not judged.
 */
export function judgedBy(
  operations: readonly Operation[],
): (method: string, path: string, answer: DescribedAnswer) => string | null {
  const routes = operations.map((operation) => ({
    operation,
    pattern: new RegExp(`^${operation.path.replaceAll(/\{\w+\}/g, '[^/]+')}$`),
    placeholders: operation.path.split('{').length,
  }));
  // `/v1/webhooks/secret` before `/v1/webhooks/{id}`.
  routes.sort((one, other) => one.placeholders - other.placeholders);
  return (method, path, { status, contentType, text }) => {
    const [bare = ''] = path.split('?');
    const route = routes.find(
      ({ operation, pattern }) => operation.method === method && pattern.test(bare),
    );
    const complaint = route?.operation.complaint(status, contentType, text) ?? null;
    return complaint === null ? null : `${method} ${bare}: ${complaint}: ${text.slice(0, 300)}`;
  };
}

export interface DescribedAnswer {
  readonly status: number;
  readonly contentType: string;
  readonly text: string;
}

function toOperation(
  method: string,
  path: string,
  raw: RawOperation,
  shared: Readonly<Record<string, Schema>>,
): Operation {
  const validators = new Map<string, Validator>();
  const validatorOf = (status: number): Validator | null => {
    const schema = raw.responses[String(status)]?.content?.['application/json']?.schema;
    if (schema === undefined) return null;
    const key = String(status);
    const known = validators.get(key) ?? Compile(inlined(schema, shared) as object);
    validators.set(key, known);
    return known;
  };
  const body = raw.requestBody?.content?.['application/json']?.schema;
  return {
    method: method.toUpperCase(),
    path,
    name: `${method.toUpperCase()} ${path}`,
    isKeyed: (raw.security ?? []).length > 0,
    parameters: (raw.parameters ?? []).map((one) => ({
      ...one,
      schema: inlined(one.schema, shared) as Schema,
    })),
    body: body === undefined ? null : (inlined(body, shared) as Schema),
    statuses: new Set(Object.keys(raw.responses).map(Number)),
    complaint(status, contentType, text) {
      if (raw.responses[String(status)] === undefined) return `${status} is not described`;
      const validator = validatorOf(status);
      if (validator === null || !contentType.startsWith('application/json') || text === '')
        return null;
      const [first] = validator.Errors(JSON.parse(text));
      return first === undefined ? null : `${status} ${first.instancePath} ${first.message}`;
    },
  };
}

/** References to shared shapes, replaced by the shapes. */
function inlined(schema: unknown, shared: Readonly<Record<string, Schema>>): unknown {
  if (Array.isArray(schema)) return schema.map((one) => inlined(one, shared));
  if (typeof schema !== 'object' || schema === null) return schema;
  if ('$ref' in schema) return inlined(shared[String(schema.$ref).split('/').at(-1) ?? ''], shared);
  return Object.fromEntries(
    Object.entries(schema).map(([name, value]) => [name, inlined(value, shared)]),
  );
}

/** A value that the shape allows; `known` decides for names that mean something. */
export function sampleOf(
  schema: Schema,
  known: Readonly<Record<string, unknown>>,
  name = '',
): unknown {
  if (name in known) return known[name];
  const { type, enum: values, const: constant, default: byDefault } = schema;
  if (constant !== undefined) return constant;
  if (Array.isArray(values)) return values[0];
  if (byDefault !== undefined) return byDefault;
  const examples = schema['examples'];
  if (Array.isArray(examples)) return examples[0];
  const options = (schema['anyOf'] ?? schema['oneOf']) as readonly Schema[] | undefined;
  if (options?.[0] !== undefined) return sampleOf(options[0], known);
  switch (type) {
    case 'object': {
      const required = (schema['required'] ?? []) as readonly string[];
      const properties = (schema['properties'] ?? {}) as Readonly<Record<string, Schema>>;
      return Object.fromEntries(
        required.map((one) => [one, sampleOf(properties[one] ?? {}, known, one)]),
      );
    }
    case 'array':
      return Array.from({ length: Number(schema['minItems'] ?? 0) }, () =>
        sampleOf((schema['items'] ?? {}) as Schema, known),
      );
    case 'integer':
    case 'number':
      return Number(schema['minimum'] ?? 1);
    case 'boolean':
      return true;
    case 'null':
      return null;
    default:
      return 'x'.repeat(Math.max(3, Number(schema['minLength'] ?? 0)));
  }
}
