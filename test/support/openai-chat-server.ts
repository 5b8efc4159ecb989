import { once } from 'node:events';
import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';

/** One step of a scripted reply; steps are played in order. */
export type ReplyStep =
  | { readonly type: 'text'; readonly text: string }
  | {
      readonly type: 'tool-call';
      readonly index: number;
      readonly id?: string;
      readonly name?: string;
      readonly arguments?: string;
    }
  /** Any chunk, as the vendor would send it. */
  | { readonly type: 'chunk'; readonly chunk: unknown }
  /** Bytes as they are: comments, CRLF, malformed events. */
  | { readonly type: 'raw'; readonly text: string }
  | { readonly type: 'finish'; readonly reason: string }
  | { readonly type: 'done' }
  | { readonly type: 'wait'; readonly ms: number }
  /** Keeps the connection open and says nothing, until it is closed or the server released. */
  | { readonly type: 'stall' }
  /** Destroys the socket. */
  | { readonly type: 'break' };

/** What the server answers to one request. */
export type ScriptedReply =
  | { readonly type: 'stream'; readonly steps: readonly ReplyStep[]; readonly contentType?: string }
  | {
      readonly type: 'error';
      readonly status: number;
      readonly body: unknown;
      readonly headers?: Readonly<Record<string, string>>;
    }
  /** Accepts the request and never sends a header. */
  | { readonly type: 'silence' };

export interface RecordedRequest {
  readonly method: string;
  readonly path: string;
  readonly headers: IncomingMessage['headers'];
  // The test looks into it as the vendor would.
  readonly body: ChatBody;
  /** Counted from 1, so that a test can tell a reused connection from a new one. */
  readonly connection: number;
  /** Resolves when the client has closed the request, finished or not. */
  readonly closed: Promise<void>;
}

export interface WireMessage {
  readonly role: string;
  readonly content: string | null;
  readonly tool_calls?: readonly {
    readonly id: string;
    readonly type: string;
    readonly function: { readonly name: string; readonly arguments: string };
  }[];
  readonly tool_call_id?: string;
}

export interface ChatBody {
  readonly model?: string;
  readonly messages?: readonly WireMessage[];
  readonly stream?: boolean;
  readonly tools?: readonly {
    readonly type: string;
    readonly function: { readonly name: string };
  }[];
  readonly temperature?: number;
  readonly max_tokens?: number;
}

/** Text in deltas of a few letters, then `stop` and the end mark. */
export function textReply(text: string, pieceLength = 4): ScriptedReply {
  const steps: ReplyStep[] = [];
  for (let at = 0; at < text.length; at += pieceLength) {
    steps.push({ type: 'text', text: text.slice(at, at + pieceLength) });
  }
  return {
    type: 'stream',
    steps: [...steps, { type: 'finish', reason: 'stop' }, { type: 'done' }],
  };
}

/** One tool call whose arguments come in pieces. */
export function toolReply(name: string, args: unknown, id = 'call_1'): ScriptedReply {
  const json = JSON.stringify(args);
  const half = Math.ceil(json.length / 2);
  return {
    type: 'stream',
    steps: [
      { type: 'tool-call', index: 0, id, name, arguments: '' },
      { type: 'tool-call', index: 0, arguments: json.slice(0, half) },
      { type: 'tool-call', index: 0, arguments: json.slice(half) },
      { type: 'finish', reason: 'tool_calls' },
      { type: 'done' },
    ],
  };
}

/** Speaks `POST /v1/chat/completions` as OpenAI does, and fails on command. */
export class OpenAiChatServer {
  readonly apiKey = 'sk-test-0123456789';
  readonly model = 'test-model';
  readonly requests: RecordedRequest[] = [];
  readonly #server: Server;
  readonly #script: ScriptedReply[] = [];
  readonly #stalled = new Set<ServerResponse>();
  readonly #waiting: (() => void)[] = [];
  #fallback: ScriptedReply = textReply('Hello there.');
  #connectionCount = 0;
  readonly #connections = new WeakMap<object, number>();

  constructor() {
    this.#server = createServer((request, response) => {
      void this.#serve(request, response).catch(() => response.destroy());
    });
    this.#server.on('connection', (socket) => {
      this.#connectionCount += 1;
      this.#connections.set(socket, this.#connectionCount);
    });
  }

  static async start(): Promise<OpenAiChatServer> {
    const server = new OpenAiChatServer();
    server.#server.listen(0, '127.0.0.1');
    await once(server.#server, 'listening');
    return server;
  }

  /** With `/v1`, as it stands in an agent's settings. */
  get baseUrl(): string {
    const { port } = this.#server.address() as AddressInfo;
    return `http://127.0.0.1:${port}/v1`;
  }

  /** Connections accepted so far. */
  get connectionCount(): number {
    return this.#connectionCount;
  }

  /** What the next requests get, in order; when none is left, the last `always`. */
  next(...replies: readonly ScriptedReply[]): void {
    this.#script.push(...replies);
  }

  always(reply: ScriptedReply): void {
    this.#fallback = reply;
  }

  /** Resolves once `count` requests have come in all. */
  async received(count: number): Promise<RecordedRequest> {
    while (this.requests.length < count) {
      await new Promise<void>((resolve) => this.#waiting.push(resolve));
    }
    return this.requests[count - 1]!;
  }

  /** Ends what stalls, so that keep-alive connections can close. */
  releaseStalled(): void {
    for (const response of this.#stalled) response.end();
    this.#stalled.clear();
  }

  async stop(): Promise<void> {
    this.releaseStalled();
    this.#server.close();
    this.#server.closeAllConnections();
    await once(this.#server, 'close');
  }

  async #serve(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const chunks: Buffer[] = [];
    for await (const chunk of request) chunks.push(chunk as Buffer);
    const text = Buffer.concat(chunks).toString();
    const path = request.url ?? '';
    let body: ChatBody = {};
    let isJson = true;
    try {
      if (text !== '') body = JSON.parse(text) as ChatBody;
    } catch {
      isJson = false;
    }
    const closed = once(response, 'close').then(() => undefined);
    this.requests.push({
      method: request.method ?? '',
      path,
      headers: request.headers,
      body,
      connection: this.#connections.get(request.socket) ?? 0,
      closed,
    });
    for (const wake of this.#waiting.splice(0)) wake();
    if (!isJson)
      return sendError(response, 400, 'We could not parse the JSON body of your request.');
    const refusal = this.#refusal(request, path, body);
    if (refusal !== null) return refusal(response);
    if (path === '/v1/models')
      return sendJson(response, 200, {
        object: 'list',
        data: [{ id: this.model, object: 'model' }],
      });
    await this.#play(this.#script.shift() ?? this.#fallback, response);
  }

  #refusal(
    request: IncomingMessage,
    path: string,
    body: ChatBody,
  ): ((response: ServerResponse) => void) | null {
    if (request.headers.authorization !== `Bearer ${this.apiKey}`) {
      return (response) =>
        sendError(
          response,
          401,
          'Incorrect API key provided.',
          'invalid_request_error',
          'invalid_api_key',
        );
    }
    if (path === '/v1/models') return null;
    if (path !== '/v1/chat/completions' || request.method !== 'POST') {
      return (response) => sendError(response, 404, `Invalid URL (${request.method} ${path})`);
    }
    if (body.model !== this.model) {
      return (response) =>
        sendError(
          response,
          404,
          'The model does not exist.',
          'invalid_request_error',
          'model_not_found',
        );
    }
    const fault = findFault(body);
    return fault === null ? null : (response) => sendError(response, 400, fault);
  }

  async #play(reply: ScriptedReply, response: ServerResponse): Promise<void> {
    if (reply.type === 'silence') {
      this.#stalled.add(response);
      return;
    }
    if (reply.type === 'error') {
      for (const [name, value] of Object.entries(reply.headers ?? {}))
        response.setHeader(name, value);
      if (typeof reply.body === 'string') {
        response.writeHead(reply.status, { 'content-type': 'text/html' }).end(reply.body);
      } else {
        sendJson(response, reply.status, reply.body);
      }
      return;
    }
    const contentType = reply.contentType ?? 'text/event-stream; charset=utf-8';
    response.writeHead(200, contentType === '' ? {} : { 'content-type': contentType });
    response.flushHeaders();
    for (const step of reply.steps) {
      if (response.destroyed) return;
      switch (step.type) {
        case 'wait':
          await new Promise((resolve) => setTimeout(resolve, step.ms));
          break;
        case 'stall':
          this.#stalled.add(response);
          return;
        case 'break':
          // What was written must get out first.
          await new Promise<void>((resolve) => setImmediate(resolve));
          response.socket?.destroy();
          return;
        case 'raw':
          response.write(step.text);
          break;
        case 'done':
          response.write('data: [DONE]\n\n');
          break;
        case 'chunk':
          response.write(`data: ${JSON.stringify(step.chunk)}\n\n`);
          break;
        case 'text':
          response.write(event({ content: step.text }, null));
          break;
        case 'finish':
          response.write(event({}, step.reason));
          break;
        case 'tool-call':
          response.write(event({ tool_calls: [toolDelta(step)] }, null));
          break;
      }
    }
    response.end();
  }
}

function toolDelta(step: Extract<ReplyStep, { type: 'tool-call' }>): unknown {
  return {
    index: step.index,
    ...(step.id === undefined ? {} : { id: step.id, type: 'function' }),
    function: {
      ...(step.name === undefined ? {} : { name: step.name }),
      ...(step.arguments === undefined ? {} : { arguments: step.arguments }),
    },
  };
}

function event(delta: unknown, finishReason: string | null): string {
  const chunk = {
    id: 'chatcmpl-1',
    object: 'chat.completion.chunk',
    created: 1,
    model: 'test-model',
    choices: [{ index: 0, delta, logprobs: null, finish_reason: finishReason }],
  };
  return `data: ${JSON.stringify(chunk)}\n\n`;
}

const ROLES = new Set(['system', 'developer', 'user', 'assistant', 'tool']);

/** What OpenAI would refuse in a request, or null. */
function findFault(body: ChatBody): string | null {
  const { messages } = body;
  if (!Array.isArray(messages) || messages.length === 0) return "Invalid 'messages': empty array.";
  if (body.stream !== true) return 'This server only streams.';
  if (body.temperature !== undefined && (body.temperature < 0 || body.temperature > 2)) {
    return "Invalid 'temperature'.";
  }
  if (body.tools !== undefined && body.tools.length === 0) return "Invalid 'tools': empty array.";
  if (
    body.tools?.some(
      (tool) => tool.type !== 'function' || !/^[a-zA-Z0-9_-]{1,64}$/.test(tool.function.name),
    )
  ) {
    return "Invalid 'tools[].function.name'.";
  }
  return findMessageFault(messages);
}

function findMessageFault(messages: readonly WireMessage[]): string | null {
  let owed = new Set<string>();
  for (const [at, message] of messages.entries()) {
    if (!ROLES.has(message.role)) return `Invalid value: 'messages[${at}].role'.`;
    if (message.role === 'tool') {
      if (!owed.delete(message.tool_call_id ?? '')) {
        return `Invalid parameter: messages with role 'tool' must be a response to a preceding message with 'tool_calls'.`;
      }
      continue;
    }
    if (owed.size > 0) {
      return `An assistant message with 'tool_calls' must be followed by tool messages responding to each 'tool_call_id'.`;
    }
    const calls = message.tool_calls ?? [];
    if (message.content === null && calls.length === 0)
      return `Invalid value for 'content': expected a string, got null.`;
    for (const call of calls) {
      if (typeof call.function.arguments !== 'string')
        return `Invalid type for 'messages[${at}].tool_calls'.`;
    }
    owed = new Set(calls.map(({ id }) => id));
  }
  return owed.size > 0
    ? `An assistant message with 'tool_calls' must be followed by tool messages.`
    : null;
}

function sendJson(response: ServerResponse, status: number, body: unknown): void {
  response.writeHead(status, { 'content-type': 'application/json' }).end(JSON.stringify(body));
}

function sendError(
  response: ServerResponse,
  status: number,
  message: string,
  type = 'invalid_request_error',
  code: string | null = null,
): void {
  sendJson(response, status, { error: { message, type, param: null, code } });
}
