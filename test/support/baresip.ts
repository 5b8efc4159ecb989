import { type ChildProcess, spawn } from 'node:child_process';
import { existsSync } from 'node:fs';
import { mkdtemp, readdir, rm, writeFile } from 'node:fs/promises';
import { type Socket, connect, createServer } from 'node:net';
import { once } from 'node:events';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

const BARESIP = '/usr/bin/baresip';
const MODULES = '/usr/lib/baresip/modules';

export const hasBaresip = (): boolean => existsSync(BARESIP);

export interface BaresipOptions {
  /**
   * WAV file (16-bit mono, at the rate of the codec) that is spoken from the answer on. baresip
   * hangs up when it ends, so it carries its own silence.
   */
  readonly speechFile: string;
  readonly codec: 'PCMU/8000/1' | 'PCMA/8000/1' | 'G722/16000/1' | 'opus/48000/2';
  /** RTP/AVP with crypto lines, or RTP/SAVP alone. Default: plain RTP. */
  readonly encryption?: 'srtp' | 'srtp-mand';
  /** Rate of `speechFile`. */
  readonly sampleRateHz: number;
  /** PEM file of those who vouch for its peers: it speaks TLS; Debian's does not check. */
  readonly caFile?: string;
  /** Its user, whom calls to it must name. Default: tester. */
  readonly user?: string;
  /** UDP port for calls to it. Default: any. */
  readonly sipPort?: number;
  /** Answers calls by itself. Default: it rings. */
  readonly answers?: boolean;
}

/** A baresip process: an independent SIP telephone that speaks a file and records the far side. */
export class Baresip {
  readonly #folder: string;
  readonly #process: ChildProcess;
  readonly #control: Socket;
  readonly events: { readonly type: string; readonly [field: string]: unknown }[] = [];
  #buffer = '';

  private constructor(folder: string, process: ChildProcess, control: Socket) {
    this.#folder = folder;
    this.#process = process;
    this.#control = control;
    control.on('data', (data) => this.#onData(data.toString('utf8')));
  }

  static async start(options: BaresipOptions): Promise<Baresip> {
    const folder = await mkdtemp(join(tmpdir(), 'trunkline-baresip-'));
    const controlPort = await freeTcpPort();
    await writeFile(join(folder, 'config'), configText(options, folder, controlPort));
    const encryption = options.encryption === undefined ? '' : `;mediaenc=${options.encryption}`;
    const answering = options.answers === true ? ';answermode=auto' : '';
    const transport = options.caFile === undefined ? 'udp' : 'tls';
    const account = `<sip:${options.user ?? 'tester'}@127.0.0.1;transport=${transport}>;regint=0;audio_codecs=${options.codec}${encryption}${answering}\n`;
    await writeFile(join(folder, 'accounts'), account);
    await writeFile(join(folder, 'contacts'), '');
    const child = spawn(BARESIP, ['-f', folder], { stdio: ['ignore', 'pipe', 'pipe'] });
    child.stdout.resume();
    child.stderr.resume();
    const control = await connectSoon(controlPort);
    return new Baresip(folder, child, control);
  }

  dial(uri: string): void {
    this.#command('dial', uri);
  }

  /** Also refuses (486) a call that rings. */
  hangUp(): void {
    this.#command('hangup', '');
  }

  /** Presses one key during a call. */
  press(digit: string): void {
    this.#command('sndcode', digit);
  }

  /** Resolves when an event of that type came, e.g. `CALL_ESTABLISHED` or `CALL_CLOSED`. */
  async event(type: string, timeoutMs = 15_000): Promise<void> {
    const deadline = Date.now() + timeoutMs;
    while (!this.events.some((event) => event.type === type)) {
      if (Date.now() > deadline) {
        throw new Error(`baresip said ${JSON.stringify(this.events.map((event) => event.type))}`);
      }
      await new Promise((resolve) => setTimeout(resolve, 20));
    }
  }

  /** The file with what the far side said: complete after `stop`. */
  async recording(): Promise<string | null> {
    const name = (await readdir(this.#folder)).find((file) => file.endsWith('-dec.wav'));
    return name === undefined ? null : join(this.#folder, name);
  }

  /** Ends the process and keeps the recording until `remove`. */
  async stop(): Promise<void> {
    this.#control.destroy();
    if (this.#process.exitCode === null && this.#process.signalCode === null) {
      const exited = once(this.#process, 'exit');
      this.#process.kill('SIGTERM');
      const timer = setTimeout(() => this.#process.kill('SIGKILL'), 3_000);
      await exited;
      clearTimeout(timer);
    }
  }

  async remove(): Promise<void> {
    await rm(this.#folder, { recursive: true, force: true });
  }

  /** Commands and events are JSON in netstrings (module ctrl_tcp). */
  #command(command: string, params: string): void {
    const text = JSON.stringify({ command, params });
    this.#control.write(`${Buffer.byteLength(text)}:${text},`);
  }

  #onData(data: string): void {
    this.#buffer += data;
    for (;;) {
      const colon = this.#buffer.indexOf(':');
      const length = Number(this.#buffer.slice(0, colon));
      if (colon < 0 || this.#buffer.length < colon + 1 + length + 1) return;
      const message = JSON.parse(this.#buffer.slice(colon + 1, colon + 1 + length));
      this.#buffer = this.#buffer.slice(colon + 1 + length + 1);
      if (message.event === true) this.events.push(message);
    }
  }
}

function configText(options: BaresipOptions, folder: string, controlPort: number): string {
  const modules = [
    'g711',
    'g722',
    'srtp',
    'opus',
    'aufile',
    'aubridge',
    'sndfile',
    'ctrl_tcp',
    'uuid',
  ];
  return [
    `module_path ${MODULES}`,
    ...modules.map((name) => `module ${name}.so`),
    'module_app account.so',
    'module_app menu.so',
    `audio_source aufile,${options.speechFile}`,
    'audio_player aubridge,nowhere',
    'audio_alert aubridge,nowhere',
    `ausrc_srate ${options.sampleRateHz}`,
    'ausrc_channels 1',
    'auplay_channels 1',
    `snd_path ${folder}`,
    `sip_listen 127.0.0.1:${options.sipPort ?? 0}`,
    ...(options.caFile === undefined ? [] : [`sip_cafile ${options.caFile}`]),
    `ctrl_tcp_listen 127.0.0.1:${controlPort}`,
    'net_interface 127.0.0.1',
    'rtp_timeout 60',
    '',
  ].join('\n');
}

async function freeTcpPort(): Promise<number> {
  const server = createServer();
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  const address = server.address();
  server.close();
  await once(server, 'close');
  if (address === null || typeof address === 'string') throw new Error('no port');
  return address.port;
}

async function connectSoon(port: number): Promise<Socket> {
  for (let attempt = 0; attempt < 100; attempt += 1) {
    const socket = connect(port, '127.0.0.1');
    const isUp = await new Promise<boolean>((resolve) => {
      socket.once('connect', () => resolve(true));
      socket.once('error', () => resolve(false));
    });
    if (isUp) return socket;
    await new Promise((resolve) => setTimeout(resolve, 50));
  }
  throw new Error('baresip did not open its control port');
}
