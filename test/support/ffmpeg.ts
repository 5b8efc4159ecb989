import { type ChildProcess, spawn } from 'node:child_process';
import { existsSync } from 'node:fs';
import { once } from 'node:events';

const FFMPEG = '/usr/bin/ffmpeg';

export const hasFfmpeg = existsSync(FFMPEG);

/** An ffmpeg process: another implementation of codecs and of RTP. */
export class Ffmpeg {
  readonly #process: ChildProcess;
  #errors = '';

  constructor(args: readonly string[], input: string | Uint8Array | null = null) {
    const options = ['-hide_banner', '-loglevel', 'error', '-nostdin', '-y'];
    const stdin = input === null ? 'ignore' : 'pipe';
    const noInput = input === null ? options : options.filter((option) => option !== '-nostdin');
    this.#process = spawn(FFMPEG, [...noInput, ...args], { stdio: [stdin, 'pipe', 'pipe'] });
    this.#process.stderr?.on('data', (data) => (this.#errors += String(data)));
    if (input !== null) this.#process.stdin?.end(input);
  }

  /** Resolves with what it wrote to standard output, once it is done. */
  async output(): Promise<Buffer> {
    const pieces: Buffer[] = [];
    this.#process.stdout?.on('data', (data: Buffer) => pieces.push(data));
    const [code] = await once(this.#process, 'close');
    if (code !== 0) throw new Error(`ffmpeg ended with ${code}: ${this.#errors}`);
    return Buffer.concat(pieces);
  }

  async stop(): Promise<void> {
    if (this.#process.exitCode !== null || this.#process.signalCode !== null) return;
    const closed = once(this.#process, 'close');
    this.#process.kill('SIGKILL');
    await closed;
  }
}

/** Signed 16-bit samples, as `-f s16le` reads and writes them. */
export function toPcm(bytes: Buffer): Int16Array {
  return Int16Array.from({ length: bytes.length >> 1 }, (_, at) => bytes.readInt16LE(at * 2));
}

export function fromPcm(samples: Int16Array): Buffer {
  const bytes = Buffer.alloc(samples.length * 2);
  samples.forEach((sample, at) => bytes.writeInt16LE(sample, at * 2));
  return bytes;
}
