import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import type { AddressInfo, Socket } from 'node:net';

const BODY_BYTES_MAX = 25 * 1024 * 1024;
const VOICES = ['alloy', 'ash', 'coral', 'echo', 'fable', 'nova', 'onyx', 'sage', 'shimmer'];
const FORMATS = ['mp3', 'opus', 'aac', 'flac', 'wav', 'pcm'];

/** What the server shall do to the next requests, in order; afterwards it behaves. */
export type Misbehavior =
  /** Never answers. */
  | { readonly type: 'stall' }
  /** Sends this many bytes of the body, then nothing more. */
  | { readonly type: 'stall-after'; readonly bytes: number }
  /** Sends this many bytes of the body, then cuts the connection. */
  | { readonly type: 'break-after'; readonly bytes: number }
  | { readonly type: 'status'; readonly status: number; readonly code?: string }
  /** A 200 whose body is this. */
  | { readonly type: 'body'; readonly body: string }
  | { readonly type: 'delay'; readonly ms: number };

export interface Transcription {
  readonly model: string;
  readonly language: string | null;
  readonly sampleRateHz: number;
  readonly samples: Int16Array;
}

export interface Speech {
  readonly model: string;
  readonly voice: string;
  readonly input: string;
}

/**
 * A server that speaks OpenAI's wire format for audio: `POST /v1/audio/transcriptions` and
 * `POST /v1/audio/speech`. It checks the key and refuses what OpenAI refuses, in its words.
 */
export class OpenAiSpeechServer {
  readonly apiKey = 'sk-test-123';
  readonly transcriptions: Transcription[] = [];
  readonly speeches: Speech[] = [];
  /** Requests whose client went away before the answer was complete. */
  canceledCount = 0;
  connectionCount = 0;
  /** The words of every transcription. */
  text = 'Hello there.';
  readonly misbehaviors: Misbehavior[] = [];
  /** Sizes of the pieces that audio is sent in; odd ones cut samples in two. */
  pieceBytes: readonly number[] = [1, 4801, 960];
  /** Audio of each speech, in samples at 24 kHz. */
  speechSamples = 12_000;
  readonly #server: Server;
  readonly #sockets = new Set<Socket>();

  private constructor() {
    this.#server = createServer((request, response) => {
      void this.#serve(request, response).catch(() => response.destroy());
    });
    this.#server.on('connection', (socket) => {
      this.connectionCount += 1;
      this.#sockets.add(socket);
      socket.on('close', () => this.#sockets.delete(socket));
    });
  }

  static async start(): Promise<OpenAiSpeechServer> {
    const server = new OpenAiSpeechServer();
    await new Promise<void>((resolve) => server.#server.listen(0, '127.0.0.1', resolve));
    return server;
  }

  get baseUrl(): string {
    const { port } = this.#server.address() as AddressInfo;
    return `http://127.0.0.1:${port}/v1`;
  }

  get openConnections(): number {
    return this.#sockets.size;
  }

  async stop(): Promise<void> {
    for (const socket of this.#sockets) socket.destroy();
    await new Promise((resolve) => this.#server.close(resolve));
  }

  async #serve(request: IncomingMessage, response: ServerResponse): Promise<void> {
    response.on('close', () => {
      if (!response.writableFinished) this.canceledCount += 1;
    });
    const body = await readBody(request);
    if (request.headers.authorization !== `Bearer ${this.apiKey}`) {
      return refuse(response, 401, 'Incorrect API key provided.', 'invalid_api_key');
    }
    if (request.method === 'GET' && request.url === '/v1/models') {
      response.writeHead(200, { 'content-type': 'application/json' });
      return void response.end('{"object":"list","data":[]}');
    }
    const audio = this.#answer(request, response, body);
    if (audio === null) return;
    const bad = this.misbehaviors.shift();
    if (bad?.type === 'stall') return;
    if (bad?.type === 'status') {
      return refuse(response, bad.status, 'Something is wrong.', bad.code ?? 'server_error');
    }
    if (bad?.type === 'delay') await new Promise((resolve) => setTimeout(resolve, bad.ms));
    const content = bad?.type === 'body' ? Buffer.from(bad.body) : audio.content;
    response.writeHead(200, { 'content-type': audio.type });
    const end = bad !== undefined && 'bytes' in bad ? bad.bytes : content.length;
    await this.#sendInPieces(response, content.subarray(0, end));
    if (bad?.type === 'break-after') response.destroy();
    else if (bad?.type !== 'stall-after') response.end();
  }

  /** The content of a good answer; null when the request was refused. */
  #answer(
    request: IncomingMessage,
    response: ServerResponse,
    body: Buffer,
  ): { type: string; content: Buffer } | null {
    if (request.method !== 'POST')
      return this.#refused(response, 405, 'Not allowed.', 'bad_method');
    if (request.url === '/v1/audio/speech') return this.#speak(response, body);
    if (request.url === '/v1/audio/transcriptions') {
      return this.#transcribe(response, request.headers['content-type'] ?? '', body);
    }
    return this.#refused(response, 404, 'Invalid URL.', 'unknown_url');
  }

  #speak(response: ServerResponse, body: Buffer): { type: string; content: Buffer } | null {
    const { model, voice, input, response_format: format = 'mp3' } = JSON.parse(body.toString());
    if (typeof model !== 'string' || model === '') {
      return this.#refused(response, 400, 'you must provide a model parameter', 'missing_model');
    }
    if (typeof input !== 'string' || input === '' || input.length > 4096) {
      return this.#refused(response, 400, 'Invalid input.', 'invalid_input');
    }
    if (!VOICES.includes(voice)) return this.#refused(response, 400, 'Unknown voice.', 'voice');
    if (!FORMATS.includes(format)) return this.#refused(response, 400, 'Bad format.', 'format');
    this.speeches.push({ model, voice, input });
    const content = Buffer.alloc(this.speechSamples * 2);
    for (let i = 0; i < this.speechSamples; i += 1) content.writeInt16LE(speechSample(i), 2 * i);
    return { type: 'audio/pcm', content };
  }

  #transcribe(
    response: ServerResponse,
    type: string,
    body: Buffer,
  ): { type: string; content: Buffer } | null {
    const fields = readForm(type, body);
    const model = fields.get('model')?.toString() ?? '';
    const file = fields.get('file');
    if (model === '') {
      return this.#refused(response, 400, 'you must provide a model parameter', 'missing_model');
    }
    if (file === undefined || file.toString('latin1', 0, 4) !== 'RIFF') {
      return this.#refused(response, 400, 'Invalid file format.', 'invalid_file');
    }
    const sampleRateHz = file.readUInt32LE(24);
    const samples = new Int16Array(file.readUInt32LE(40) / 2);
    for (let i = 0; i < samples.length; i += 1) samples[i] = file.readInt16LE(44 + 2 * i);
    if (samples.length / sampleRateHz < 0.1) {
      return this.#refused(response, 400, 'Audio file is too short.', 'audio_too_short');
    }
    const language = fields.get('language')?.toString() ?? null;
    if (language !== null && !/^[a-z]{2}$/.test(language)) {
      return this.#refused(response, 400, 'Invalid language.', 'invalid_language');
    }
    this.transcriptions.push({ model, language, sampleRateHz, samples });
    const { text } = this;
    return { type: 'application/json', content: Buffer.from(JSON.stringify({ text })) };
  }

  #refused(response: ServerResponse, status: number, message: string, code: string): null {
    refuse(response, status, message, code);
    return null;
  }

  async #sendInPieces(response: ServerResponse, content: Buffer): Promise<void> {
    for (let at = 0, count = 0; at < content.length; count += 1) {
      const size = this.pieceBytes[count % this.pieceBytes.length] ?? content.length;
      response.write(content.subarray(at, at + size));
      at += size;
      if (count < 20) await new Promise((resolve) => setImmediate(resolve));
    }
  }
}

/** Sample `i` of every speech: lets a test see that none was lost or cut in two. */
export function speechSample(i: number): number {
  return ((i * 37) % 20_001) - 10_000;
}

function refuse(response: ServerResponse, status: number, message: string, code: string): void {
  const type = status >= 500 ? 'server_error' : 'invalid_request_error';
  response.writeHead(status, { 'content-type': 'application/json' });
  response.end(JSON.stringify({ error: { message, type, param: null, code } }));
}

async function readBody(request: IncomingMessage): Promise<Buffer> {
  const pieces: Buffer[] = [];
  let length = 0;
  for await (const piece of request) {
    length += piece.length;
    if (length > BODY_BYTES_MAX) throw new Error('too long');
    pieces.push(piece);
  }
  return Buffer.concat(pieces);
}

function readForm(type: string, body: Buffer): Map<string, Buffer> {
  const fields = new Map<string, Buffer>();
  const boundary = /boundary=([^;]+)/.exec(type)?.[1];
  if (boundary === undefined) return fields;
  const mark = Buffer.from(`--${boundary}`);
  for (let at = body.indexOf(mark); at >= 0; ) {
    const next = body.indexOf(mark, at + mark.length);
    if (next < 0) break;
    const part = body.subarray(at + mark.length + 2, next - 2);
    const gap = part.indexOf('\r\n\r\n');
    const name = /name="([^"]+)"/.exec(part.toString('latin1', 0, gap))?.[1];
    if (name !== undefined) fields.set(name, part.subarray(gap + 4));
    at = next;
  }
  return fields;
}
