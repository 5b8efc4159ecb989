import { type Agent, request } from 'node:http';

export interface RawAnswer {
  readonly status: number;
  readonly contentType: string;
  readonly headers: Readonly<Record<string, string | readonly string[] | undefined>>;
  readonly text: string;
}

export interface RawRequest {
  readonly method: string;
  /** As it goes over the wire: nothing is encoded or tidied. */
  readonly path: string;
  readonly headers?: Readonly<Record<string, string>>;
  readonly body?: string;
}

const TIMEOUT_MS = 20_000;
/** A stream of events never ends by itself. */
const READ_MAX_BYTES = 2_000_000;

/** One request as somebody careless, or ill-meaning, would write it. */
export function rawRequest(base: string, asked: RawRequest, agent?: Agent): Promise<RawAnswer> {
  const { hostname, port } = new URL(base);
  return new Promise((resolve, reject) => {
    const options = { hostname: hostname === 'localhost' ? '127.0.0.1' : hostname, port, agent };
    const { method, path, headers = {}, body } = asked;
    const length = body === undefined ? {} : { 'content-length': Buffer.byteLength(body) };
    const sent = request(
      { ...options, method, path, headers: { ...headers, ...length }, timeout: TIMEOUT_MS },
      (response) => {
        let text = '';
        const contentType = response.headers['content-type'] ?? '';
        const done = () =>
          resolve({
            status: response.statusCode ?? 0,
            contentType,
            headers: response.headers,
            text,
          });
        if (contentType.startsWith('text/event-stream')) {
          done();
          response.destroy();
          return;
        }
        response.setEncoding('utf8');
        response.on('data', (more: string) => {
          text += more;
          if (text.length > READ_MAX_BYTES) response.destroy();
        });
        response.on('end', done).on('error', reject);
      },
    );
    sent.on('error', reject).on('timeout', () => sent.destroy(new Error('no answer in time')));
    sent.end(body);
  });
}
