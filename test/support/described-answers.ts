import type { FastifyInstance } from 'fastify';
import { Compile, type Validator } from 'typebox/compile';

interface Operation {
  readonly responses: Readonly<Record<string, { readonly content?: Content }>>;
}
type Content = Readonly<Record<string, { readonly schema: object }>>;
interface Description {
  readonly paths: Readonly<Record<string, Readonly<Record<string, Operation>>>>;
  readonly components: { readonly schemas?: Readonly<Record<string, object>> };
}

/**
 * Compares every answer of the server with its own description, whatever the tests ask for.
 * Gives what did not fit: an answer that is not described, or that has another shape.
 */
export function watchAnswers(app: FastifyInstance): () => readonly string[] {
  const wrong = new Set<string>();
  const validators = new Map<string, Validator>();

  app.addHook('onSend', async (request, reply, payload) => {
    const { url: pattern, schema } = request.routeOptions;
    const isHidden = schema !== undefined && 'hide' in schema && schema.hide === true;
    if (pattern === undefined || isHidden || request.method === 'HEAD') return;
    const description = app.swagger() as unknown as Description;
    const path = pattern.replaceAll(/:(\w+)/g, '{$1}');
    const operation = description.paths[path]?.[request.method.toLowerCase()];
    const name = `${request.method} ${path} ${reply.statusCode}`;
    const answer = operation?.responses[String(reply.statusCode)];
    if (answer === undefined) wrong.add(`${name} is not described`);
    const shape = answer?.content?.['application/json']?.schema;
    if (shape === undefined || typeof payload !== 'string' || payload === '') return;
    if (!String(reply.getHeader('content-type')).startsWith('application/json')) return;
    const known = validators.get(name);
    const schemas = description.components.schemas ?? {};
    const validator = known ?? Compile(inlined(shape, schemas) as object);
    validators.set(name, validator);
    const [first] = validator.Errors(JSON.parse(payload));
    if (first !== undefined) wrong.add(`${name}: ${first.instancePath} ${first.message}`);
  });

  return () => [...wrong];
}

/** References to shared shapes, replaced by the shapes. */
function inlined(schema: unknown, shared: Readonly<Record<string, object>>): unknown {
  if (Array.isArray(schema)) return schema.map((one) => inlined(one, shared));
  if (typeof schema !== 'object' || schema === null) return schema;
  if ('$ref' in schema) return inlined(shared[String(schema.$ref).split('/').at(-1) ?? ''], shared);
  return Object.fromEntries(
    Object.entries(schema).map(([name, value]) => [name, inlined(value, shared)]),
  );
}
