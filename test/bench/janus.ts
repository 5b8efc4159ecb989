import { type ChildProcess, spawn } from 'node:child_process';
import { existsSync } from 'node:fs';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { networkInterfaces, tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { freeTcpPort } from '../support/free-port.ts';

const JANUS = '/usr/bin/janus';
const PLUGINS = ['/usr/lib/x86_64-linux-gnu/janus', '/usr/lib/aarch64-linux-gnu/janus'];

/** Debian's Janus with its echo test, which sends every packet back as it came. */
export class Janus {
  readonly pid: number;
  /** Janus leaves loopback out, so its browsers come from an address of this machine. */
  readonly address: string;
  readonly #process: ChildProcess;
  readonly #url: string;
  readonly #folder: string;
  #transactions = 0;

  private constructor(process: ChildProcess, url: string, folder: string, address: string) {
    this.#process = process;
    this.pid = process.pid ?? 0;
    this.#url = url;
    this.#folder = folder;
    this.address = address;
  }

  /** Null when it is not installed, or this machine has no address but loopback. */
  static async start(): Promise<Janus | null> {
    const plugins = PLUGINS.find((folder) => existsSync(folder));
    const address = Object.values(networkInterfaces())
      .flatMap((list) => list ?? [])
      .find(({ family, internal }) => family === 'IPv4' && !internal)?.address;
    if (!existsSync(JANUS) || plugins === undefined || address === undefined) return null;
    const folder = await mkdtemp(join(tmpdir(), 'trunkline-janus-'));
    const port = await freeTcpPort();
    const http = `general: { json = "compact"\n base_path = "/janus"\n http = true\n ip = "127.0.0.1"\n port = ${port}\n https = false }\n`;
    const main = `general: { configs_folder = "${folder}"\n plugins_folder = "${plugins}/plugins"\n transports_folder = "${plugins}/transports"\n events_folder = "/nonexistent"\n loggers_folder = "/nonexistent"\n debug_level = 2 }\nnat: { ice_enforce_list = "${address}" }\nplugins: { disable = "libjanus_audiobridge.so,libjanus_duktape.so,libjanus_lua.so,libjanus_nosip.so,libjanus_recordplay.so,libjanus_sip.so,libjanus_streaming.so,libjanus_textroom.so,libjanus_videocall.so,libjanus_videoroom.so,libjanus_voicemail.so" }\ntransports: { disable = "libjanus_mqtt.so,libjanus_nanomsg.so,libjanus_pfunix.so,libjanus_rabbitmq.so,libjanus_websockets.so" }\n`;
    await writeFile(join(folder, 'janus.jcfg'), main);
    await writeFile(join(folder, 'janus.transport.http.jcfg'), http);
    const child = spawn(JANUS, ['-F', folder, '-C', join(folder, 'janus.jcfg')], {
      stdio: 'ignore',
    });
    const janus = new Janus(child, `http://127.0.0.1:${port}/janus`, folder, address);
    for (let tries = 0; tries < 100; tries += 1) {
      const isUp = await fetch(`${janus.#url}/info`).then(
        () => true,
        () => false,
      );
      if (isUp) return janus;
      await sleep(100);
    }
    await janus.stop();
    return null;
  }

  /** The answer to a browser's offer, from a session of its own. */
  async answer(sdp: string): Promise<string> {
    const session = await this.#ask('', { janus: 'create' });
    const path = `/${idOf(session)}`;
    const plugin = 'janus.plugin.echotest';
    const handle = await this.#ask(path, { janus: 'attach', plugin });
    await this.#ask(`${path}/${idOf(handle)}`, {
      janus: 'message',
      body: { audio: true, video: false },
      jsep: { type: 'offer', sdp },
    });
    for (;;) {
      const event = (await (await fetch(`${this.#url}${path}?maxev=1`)).json()) as Event;
      if (event.jsep !== undefined) return event.jsep.sdp;
    }
  }

  async stop(): Promise<void> {
    this.#process.kill('SIGKILL');
    await rm(this.#folder, { recursive: true, force: true });
  }

  async #ask(path: string, body: object): Promise<Event> {
    this.#transactions += 1;
    const transaction = `t${this.#transactions}`;
    const response = await fetch(`${this.#url}${path}`, {
      method: 'POST',
      body: JSON.stringify({ ...body, transaction }),
    });
    return (await response.json()) as Event;
  }
}

interface Event {
  readonly data?: { readonly id: number };
  readonly jsep?: { readonly sdp: string };
}

function idOf({ data }: Event): number {
  if (data === undefined) throw new Error('Janus refused a request');
  return data.id;
}
