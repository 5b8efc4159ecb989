import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';

/**
 * Speech and language providers that take no time, in a process of their own, so that what a
 * call costs is the gateway's: OpenAI's wire format over HTTP, a constant transcript, a constant
 * reply in one event, and sound by the length of the text. Sends its base URL to its parent and
 * ends when that disconnects.
 */
const TRANSCRIPT = JSON.stringify({ text: 'Tell me a joke.' });
const REPLY = 'It was quite used to being put on hold all day, and so it never lost its calm.';
const RATE_HZ = 24_000;
const MS_PER_LETTER = 38;
const LETTERS_MAX = 400;

const sound = voiceLikeSound(LETTERS_MAX * MS_PER_LETTER);
const reply = [
  { role: 'assistant', content: REPLY, finish: null },
  { role: undefined, content: undefined, finish: 'stop' },
]
  .map(({ role, content, finish }) => {
    const choices = [{ index: 0, delta: { role, content }, finish_reason: finish }];
    return `data: ${JSON.stringify({ object: 'chat.completion.chunk', choices })}\n\n`;
  })
  .concat('data: [DONE]\n\n')
  .join('');

const server = createServer((request, response) => {
  void answer(request, response).catch(() => response.destroy());
});
server.keepAliveTimeout = 60_000;
server.listen(0, '127.0.0.1', () => {
  const { port } = server.address() as AddressInfo;
  process.send?.({ baseUrl: `http://127.0.0.1:${port}/v1` });
});
process.on('disconnect', () => process.exit());

async function answer(request: IncomingMessage, response: ServerResponse): Promise<void> {
  const pieces: Buffer[] = [];
  for await (const piece of request) pieces.push(piece as Buffer);
  switch (request.url) {
    case '/v1/audio/transcriptions':
      return send(response, 'application/json', TRANSCRIPT);
    case '/v1/chat/completions':
      return send(response, 'text/event-stream', reply);
    case '/v1/audio/speech': {
      const { input } = JSON.parse(Buffer.concat(pieces).toString()) as { input: string };
      const ms = Math.min(input.length, LETTERS_MAX) * MS_PER_LETTER;
      return send(response, 'audio/pcm', sound.subarray(0, (ms * RATE_HZ * 2) / 1_000));
    }
    default:
      return send(response, 'application/json', '{"object":"list","data":[]}');
  }
}

function send(response: ServerResponse, type: string, body: string | Buffer): void {
  response.writeHead(200, { 'content-type': type, 'content-length': Buffer.byteLength(body) });
  response.end(body);
}

/** Five syllables a second of a buzz with overtones, never silent. */
function voiceLikeSound(ms: number): Buffer {
  const bytes = Buffer.alloc((ms * RATE_HZ * 2) / 1_000);
  for (let at = 0; at < bytes.length / 2; at += 1) {
    const phase = (2 * Math.PI * 130 * at) / RATE_HZ;
    const loudness = 5_000 * (0.6 + 0.4 * Math.sin((2 * Math.PI * 5 * at) / RATE_HZ));
    const wave = Math.sin(phase) + Math.sin(3 * phase) / 2 + Math.sin(7 * phase) / 4;
    bytes.writeInt16LE(Math.round(loudness * wave), at * 2);
  }
  return bytes;
}
