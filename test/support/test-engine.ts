import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { connect } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';

import { type RunningSipEngine, startSipEngine } from '../../src/sip-engine/sip-engine.ts';
import type { FindTlsPeer } from '../../src/sip-engine/transport/tls-peer.ts';
import { freeTcpPort, freeUdpPort } from './free-port.ts';

/** A SIP engine to test against: the embedded one, or drachtio-server. */
export interface TestEngine {
  readonly name: 'embedded' | 'drachtio-server';
  /** Where phones call. */
  readonly sip: { readonly host: string; readonly port: number };
  /** Where drachtio-server takes SIP over WebSocket. */
  readonly webSocketUrl?: string;
  /** The embedded engine itself. */
  readonly embedded?: RunningSipEngine;
  /** What `connectSipEngine` needs. */
  readonly address: { readonly host: string; readonly port: number; readonly secret: string };
  close(): Promise<void>;
}

export interface TestEngineOptions {
  readonly t1Ms?: number;
  /** What is asked of TLS peers; the embedded engine alone has it. */
  readonly findPeer?: FindTlsPeer;
  /** Whose large requests go by TCP; the embedded engine alone does that. */
  readonly prefersTcp?: (address: string) => boolean;
}

const SECRET = 'a secret of the tests';
const STARTED_WITHIN_MS = 5_000;
const STARTS_MAX = 3;

/**
 * Starts the embedded engine, or the drachtio-server that `DRACHTIO_BIN` names. `t1Ms` shortens
 * the embedded engine's timers; drachtio-server keeps its own (500 ms).
 */
export function startTestEngine(options: TestEngineOptions = {}): Promise<TestEngine> {
  const binary = process.env['DRACHTIO_BIN'];
  return binary === undefined || binary === '' ? startEmbedded(options) : startDrachtio(binary);
}

async function startEmbedded({
  t1Ms,
  findPeer,
  prefersTcp,
}: TestEngineOptions): Promise<TestEngine> {
  const host = '127.0.0.1';
  const timers = t1Ms === undefined ? {} : { timers: { t1Ms } };
  const tls = findPeer === undefined ? {} : { tls: { listener: null, findPeer } };
  const engine = await startSipEngine({
    host,
    port: 0,
    secret: SECRET,
    ...timers,
    ...tls,
    ...(prefersTcp === undefined ? {} : { prefersTcp }),
  });
  const [listening] = engine.listening;
  return {
    name: 'embedded',
    embedded: engine,
    sip: { host, port: listening?.port ?? 0 },
    address: { ...engine.admin, secret: SECRET },
    close: () => engine.close(),
  };
}

/** The SIP port is free for UDP only as far as we know: when the server will not start, again. */
async function startDrachtio(binary: string): Promise<TestEngine> {
  for (let attempt = 1; ; attempt += 1) {
    try {
      return await startDrachtioOnce(binary);
    } catch (error) {
      if (attempt === STARTS_MAX) throw error;
    }
  }
}

async function startDrachtioOnce(binary: string): Promise<TestEngine> {
  const host = '127.0.0.1';
  const folder = await mkdtemp(join(tmpdir(), 'drachtio-'));
  const [adminPort, sipPort] = [await freeTcpPort(), await freeUdpPort()];
  const webSocketPort = await freeTcpPort();
  const file = join(folder, 'drachtio.conf.xml');
  await writeFile(
    file,
    `<drachtio>
      <admin port="${adminPort}" secret="${SECRET}">${host}</admin>
      <sip><contacts>
        <contact>sip:${host}:${sipPort};transport=udp,tcp</contact>
        <contact>sip:${host}:${webSocketPort};transport=ws</contact>
      </contacts></sip>
      <logging><console/><sofia-loglevel>0</sofia-loglevel><loglevel>error</loglevel></logging>
    </drachtio>`,
  );
  const child = spawn(binary, ['-f', file], { stdio: 'ignore' });
  const exited = once(child, 'exit');
  const close = async () => {
    child.kill('SIGTERM');
    const timer = setTimeout(() => child.kill('SIGKILL'), 3_000);
    await exited;
    clearTimeout(timer);
    await rm(folder, { recursive: true, force: true });
  };
  try {
    await answersOn(adminPort);
  } catch (error) {
    await close();
    throw error;
  }
  const address = { host, port: adminPort, secret: SECRET };
  const webSocketUrl = `ws://${host}:${webSocketPort}`;
  return { name: 'drachtio-server', sip: { host, port: sipPort }, webSocketUrl, address, close };
}

async function answersOn(port: number): Promise<void> {
  const endAtMs = performance.now() + STARTED_WITHIN_MS;
  for (;;) {
    const socket = connect({ port, host: '127.0.0.1' });
    try {
      await once(socket, 'connect');
      return;
    } catch (error) {
      if (performance.now() > endAtMs) throw error;
      await delay(50);
    } finally {
      socket.destroy();
    }
  }
}
