import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import Srf from 'drachtio-srf';
import { startSipEngine } from '../../../src/sip-engine/sip-engine.ts';

/** What the suite uses of drachtio-srf; its own types are incomplete. */
export interface SrfLike {
  invite(handler: (req: SrfRequest, res: SrfResponse) => void): void;
  message(handler: (req: SrfRequest, res: SrfResponse) => void): void;
  createUAS(
    req: SrfRequest,
    res: SrfResponse,
    options: object,
    done: (err: unknown, dialog: SrfDialog) => void,
  ): void;
  createUAC(uri: string, options: object, hooks?: object): Promise<SrfDialog>;
  request(uri: string, options: object): Promise<SrfOutgoing>;
  connect(options: object): void;
  disconnect(): void;
  on(event: string, listener: (...args: never[]) => void): void;
}

export interface SrfRequest {
  readonly body: string;
  readonly method: string;
  get(name: string): string;
  on(event: 'cancel', listener: () => void): void;
}

export interface SrfResponse {
  send(
    status: number,
    options?: object,
    sent?: (err: unknown) => void,
    acknowledged?: (prack: SrfRequest) => void,
  ): void;
}

export interface SrfOutgoing {
  cancel(done?: () => void): void;
  on(
    event: 'response',
    listener: (res: { readonly status: number; readonly body: string }) => void,
  ): void;
}

export interface SrfDialog {
  readonly id: string;
  readonly connected: boolean;
  readonly remote: { readonly sdp: string; readonly uri: string };
  destroy(): Promise<unknown>;
  request(options: object): Promise<{ readonly status: number; readonly body: string }>;
  on(
    event: 'destroy' | 'modify' | 'info' | 'update' | 'ack',
    listener: (req: SrfRequest, second: never) => void,
  ): void;
}

export interface EngineUnderTest {
  readonly address: string;
  readonly port: number;
  /** A new application connection. */
  connect(): Promise<SrfLike>;
  stop(): Promise<void>;
}

const SECRET = 'conformance-secret';

async function connectTo(port: number): Promise<SrfLike> {
  // oxlint-disable-next-line typescript/no-unsafe-type-assertion -- the package's own types are wrong
  const srf = new Srf() as unknown as SrfLike;
  await new Promise<void>((resolve, reject) => {
    srf.on('error', (error: Error) => reject(error));
    srf.on('connect', (error: Error | null) => (error ? reject(error) : resolve()));
    srf.connect({ host: '127.0.0.1', port, secret: SECRET });
  });
  return srf;
}

export async function startEmbedded(): Promise<EngineUnderTest> {
  const engine = await startSipEngine({ host: '127.0.0.1', port: 0, secret: SECRET });
  const [udp] = engine.listening;
  if (udp === undefined) throw new Error('the engine listens nowhere');
  return {
    address: udp.address,
    port: udp.port,
    connect: () => connectTo(engine.admin.port),
    stop: () => engine.close(),
  };
}

/** Ports that were free a moment ago: drachtio-server cannot choose its own. */
async function freePort(): Promise<number> {
  const server = createServer().listen(0, '127.0.0.1');
  await once(server, 'listening');
  const bound = server.address();
  server.close();
  await once(server, 'close');
  if (bound === null || typeof bound === 'string') throw new Error('no port');
  return bound.port;
}

export async function startDrachtioServer(binary: string): Promise<EngineUnderTest> {
  const admin = await freePort();
  const port = await freePort();
  const folder = await mkdtemp(join(tmpdir(), 'conformance-'));
  const file = join(folder, 'drachtio.conf.xml');
  await writeFile(
    file,
    `<drachtio><admin port="${admin}" secret="${SECRET}">127.0.0.1</admin><sip><contacts>` +
      `<contact>sip:127.0.0.1:${port};transport=udp,tcp</contact></contacts></sip>` +
      '<logging><loglevel>error</loglevel></logging></drachtio>',
  );
  const child = spawn(binary, ['-f', file], { stdio: 'ignore' });
  const connect = (): Promise<SrfLike> => connectWithin(admin, child);
  (await connect()).disconnect();
  return {
    address: '127.0.0.1',
    port,
    connect,
    async stop() {
      child.kill('SIGKILL');
      if (child.exitCode === null && child.signalCode === null) await once(child, 'exit');
      await rm(folder, { recursive: true });
    },
  };
}

/** The server needs a moment to open its admin port. */
async function connectWithin(port: number, child: ChildProcess): Promise<SrfLike> {
  for (let attempt = 0; ; attempt++) {
    try {
      return await connectTo(port);
    } catch (error) {
      if (attempt >= 50 || child.exitCode !== null) throw error;
      await new Promise((resolve) => setTimeout(resolve, 100));
    }
  }
}
