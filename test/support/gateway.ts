import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { startTestEngine, type TestEngine } from './test-engine.ts';
import { judgedBy, operationsOf } from './described-api.ts';

export interface GatewayOptions {
  /** Further environment: settings by their names. */
  readonly env?: Readonly<Record<string, string>>;
  /** Keep using the data of an earlier gateway; else a new folder that `stop` removes. */
  readonly dataDir?: string;
  readonly args?: readonly string[];
  /** False: from source. Else as `npm start` runs it, from dist, which is built when it is old. */
  readonly isBuilt?: boolean;
  /** A network namespace that the test has made. */
  readonly namespace?: string;
}

/** A transcript entry as `GET /v1/calls/{id}` gives it. */
export interface TurnView {
  readonly role: 'user' | 'agent';
  readonly text: string;
  readonly generated_text: string | null;
  readonly via: string | null;
  readonly is_interrupted: boolean;
  readonly stamps: Readonly<Record<string, number | null>>;
}

/** What the media of a call did, as `GET /v1/calls/{id}` gives it. */
export interface MediaView {
  readonly codec: string | null;
  readonly packets_sent: number;
  readonly packets_received: number;
  readonly packets_lost: number;
  readonly packets_from_strangers: number;
  readonly packets_malformed: number;
  readonly packets_unauthenticated: number;
  readonly packets_replayed: number;
  readonly encryption: string | null;
  readonly frames_concealed: number;
}

/** A call as `GET /v1/calls/{id}` gives it, as far as tests look. */
export interface CallView {
  readonly call_id: string;
  readonly status: string;
  readonly end_reason: string | null;
  readonly blame: string | null;
  readonly sip_status: number | null;
  readonly transcript?: readonly TurnView[];
  readonly media?: MediaView | null;
  readonly [field: string]: unknown;
}

const READY_TIMEOUT_MS = 120_000;
const POLL_MS = 50;
const root = new URL('../..', import.meta.url).pathname;

let judge: Promise<ReturnType<typeof judgedBy>> | null = null;

/**
 * A real gateway process with its own data folder and ephemeral ports, read the way an
 * operator reads it: by its banner, its log and its HTTP API.
 */
export class Gateway {
  readonly dataDir: string;
  readonly process: ChildProcess;
  /** Lines of standard output (banner) and standard error (log), in order of arrival. */
  readonly lines: string[];
  readonly sipPort: number;
  readonly httpUrl: string;
  readonly adminKey: string;
  readonly #ownsDataDir: boolean;
  /** The SIP engine, when it is a program of its own. */
  readonly #engine: TestEngine | null;
  /** Ids of calls that `nextCall` and `nextEndedCall` gave out. */
  readonly #given = new Set<string>();

  private constructor(parts: {
    dataDir: string;
    ownsDataDir: boolean;
    process: ChildProcess;
    lines: string[];
    banner: Banner;
    engine: TestEngine | null;
  }) {
    this.dataDir = parts.dataDir;
    this.#ownsDataDir = parts.ownsDataDir;
    this.process = parts.process;
    this.lines = parts.lines;
    this.#engine = parts.engine;
    this.sipPort = parts.engine?.sip.port ?? parts.banner.sipPort;
    this.httpUrl = parts.banner.httpUrl;
    this.adminKey = parts.banner.adminKey;
  }

  /** The same, by the drachtio-server that `DRACHTIO_BIN` names, if it names one. */
  static async startByEngine(options: GatewayOptions = {}): Promise<Gateway> {
    if ((process.env['DRACHTIO_BIN'] ?? '') === '') return Gateway.start(options);
    const engine = await startTestEngine();
    const { host, port, secret } = engine.address;
    const address = `drachtio://:${encodeURIComponent(secret)}@${host}:${port}`;
    const env = { ...options.env, TRUNKLINE_SIP_ENGINE: address };
    try {
      return await Gateway.#started({ ...options, env }, engine);
    } catch (error) {
      await engine.close();
      throw error;
    }
  }

  static start(options: GatewayOptions = {}): Promise<Gateway> {
    return Gateway.#started(options, null);
  }

  static async #started(options: GatewayOptions, engine: TestEngine | null): Promise<Gateway> {
    const dataDir = options.dataDir ?? (await mkdtemp(join(tmpdir(), 'trunkline-test-')));
    const entry =
      options.isBuilt === false
        ? ['--import', 'ts-blank-space/register', 'src/main.ts']
        : ['config/start.mjs'];
    const command = [process.execPath, ...entry, ...(options.args ?? [])];
    const within =
      options.namespace === undefined ? [] : ['ip', 'netns', 'exec', options.namespace];
    const [program = '', ...args] = [...within, ...command];
    const child = spawn(program, args, {
      cwd: root,
      env: {
        ...withoutSettings(process.env),
        TRUNKLINE_CONFIG: '/dev/null',
        TRUNKLINE_DATA_DIR: dataDir,
        TRUNKLINE_HTTP_PORT: '0',
        TRUNKLINE_SIP_PORT: '0',
        TRUNKLINE_MEDIA_WEBRTC_PORT: '0',
        // Tests ask often.
        TRUNKLINE_HTTP_REQUESTS_PER_MINUTE: '100000',
        ...options.env,
      },
      stdio: ['ignore', 'pipe', 'pipe'],
    });
    const lines: string[] = [];
    const banner = await readBanner(child, lines);
    const ownsDataDir = options.dataDir === undefined;
    return new Gateway({ dataDir, ownsDataDir, process: child, lines, banner, engine });
  }

  /** A request with the admin key. */
  /**
   * Asks the API with the administrator's key, unless another is given. Throws when an answer is
   * not as the description of the API says.
   */
  async api(path: string, init: RequestInit = {}): Promise<Response> {
    const headers = new Headers(init.headers);
    if (!headers.has('authorization')) headers.set('authorization', `Bearer ${this.adminKey}`);
    const response = await fetch(`${this.httpUrl}${path}`, { ...init, headers });
    const contentType = response.headers.get('content-type') ?? '';
    if (!contentType.startsWith('application/json')) return response;
    const text = await response.clone().text();
    const judge = await this.#judge();
    const complaint = judge(init.method ?? 'GET', path, {
      status: response.status,
      contentType,
      text,
    });
    if (complaint !== null) throw new Error(`not as described: ${complaint}`);
    return response;
  }

  /** The description is the same for every daemon of one run. */
  #judge(): Promise<ReturnType<typeof judgedBy>> {
    judge ??= fetch(`${this.httpUrl}/openapi.json`)
      .then((response) => response.json())
      .then((document) => judgedBy(operationsOf(document)));
    return judge;
  }

  /** Changes the demo agent, for the calls that begin from now on. */
  async changeAgent(change: Readonly<Record<string, unknown>>): Promise<void> {
    const response = await this.api('/v1/agents/agt_demo', {
      method: 'PATCH',
      headers: { 'content-type': 'application/json' },
      body: JSON.stringify(change),
    });
    if (response.status !== 200) throw new Error(`not changed: ${await response.text()}`);
  }

  /** One call with its transcript. */
  async call(id: string): Promise<CallView> {
    const response = await this.api(`/v1/calls/${id}`);
    return (await response.json()) as CallView;
  }

  /** The calls, newest first, without transcripts. */
  async calls(): Promise<readonly CallView[]> {
    const response = await this.api('/v1/calls');
    const body = (await response.json()) as { calls: CallView[] };
    return body.calls;
  }

  /** Waits until `count` calls have ended, and gives them whole, oldest first. */
  async endedCalls(count: number, timeoutMs = 15_000): Promise<readonly CallView[]> {
    const deadline = Date.now() + timeoutMs;
    for (;;) {
      const ended = (await this.calls()).filter((call) => call.end_reason !== null);
      if (ended.length >= count) {
        const whole = await Promise.all(ended.map((call) => this.call(call.call_id)));
        return whole.reverse();
      }
      if (Date.now() > deadline) {
        throw new Error(`${ended.length} of ${count} calls ended\n${this.lines.join('\n')}`);
      }
      await new Promise((resolve) => setTimeout(resolve, 50));
    }
  }

  /** Waits for a call that this has not given out yet, live or ended: the oldest of them. */
  nextCall(): Promise<CallView> {
    return this.#nextCall(() => true);
  }

  /** The same for calls that have ended; given whole. */
  async nextEndedCall(): Promise<CallView> {
    const call = await this.#nextCall(({ end_reason: reason }) => reason !== null);
    return this.call(call.call_id);
  }

  /** Asks for the call until it is as described. */
  async callWhen(
    id: string,
    what: string,
    holds: (call: CallView, turns: readonly TurnView[]) => boolean,
    timeoutMs = 30_000,
  ): Promise<CallView> {
    const deadline = Date.now() + timeoutMs;
    for (;;) {
      const call = await this.call(id);
      if (holds(call, call.transcript ?? [])) return call;
      if (Date.now() > deadline) throw new Error(`not ${what}: ${JSON.stringify(call, null, 1)}`);
      await new Promise((resolve) => setTimeout(resolve, POLL_MS));
    }
  }

  /** The call whole, once it has ended. */
  endOf(id: string): Promise<CallView> {
    return this.callWhen(id, 'ended', ({ end_reason: reason }) => reason !== null);
  }

  /** Lines of the log that tell the end of this call. */
  endLines(id: string): readonly string[] {
    return this.lines.filter((line) => line.includes(id) && line.includes('"msg":"call ended"'));
  }

  /** Sum of a metric's samples whose line matches. */
  async metric(name: string, labels = /./): Promise<number> {
    const text = await (await this.api('/metrics')).text();
    const samples = text.split('\n').filter((line) => new RegExp(`^${name}(\\{|\\s)`).test(line));
    if (samples.length === 0) throw new Error(`there is no metric ${name}`);
    return samples
      .filter((line) => labels.test(line))
      .reduce((sum, line) => sum + Number(line.split(' ').at(-1)), 0);
  }

  async #nextCall(holds: (call: CallView) => boolean): Promise<CallView> {
    const deadline = Date.now() + 20_000;
    for (;;) {
      const fresh = (await this.calls()).filter(
        (call) => !this.#given.has(call.call_id) && holds(call),
      );
      const oldest = fresh.at(-1);
      if (oldest !== undefined) {
        this.#given.add(oldest.call_id);
        return oldest;
      }
      if (Date.now() > deadline) throw new Error(`no such call came\n${this.lines.join('\n')}`);
      await new Promise((resolve) => setTimeout(resolve, POLL_MS));
    }
  }

  /** Waits for a line of output that matches. */
  async line(pattern: RegExp, timeoutMs = 10_000): Promise<string> {
    const deadline = Date.now() + timeoutMs;
    for (;;) {
      const found = this.lines.find((line) => pattern.test(line));
      if (found !== undefined) return found;
      if (Date.now() > deadline) throw new Error(`no ${pattern} in:\n${this.lines.join('\n')}`);
      await new Promise((resolve) => setTimeout(resolve, 20));
    }
  }

  /** SIGTERM twice: hang up now. Resolves with the exit code. */
  async stop(): Promise<number | null> {
    if (this.process.exitCode === null && this.process.signalCode === null) {
      const exited = once(this.process, 'exit');
      this.process.kill('SIGTERM');
      // Two at once may come as one, and then live calls are waited for.
      const again = setTimeout(() => this.process.kill('SIGTERM'), 200);
      const timer = setTimeout(() => this.process.kill('SIGKILL'), 30_000);
      await exited;
      clearTimeout(timer);
      clearTimeout(again);
    }
    await this.#engine?.close();
    await this.removeData();
    return this.process.exitCode;
  }

  /** kill -9: no goodbye. The data stays. */
  async kill(): Promise<void> {
    if (this.process.exitCode !== null || this.process.signalCode !== null) return;
    const exited = once(this.process, 'exit');
    this.process.kill('SIGKILL');
    await exited;
  }

  async removeData(): Promise<void> {
    if (this.#ownsDataDir) await rm(this.dataDir, { recursive: true, force: true });
  }
}

interface Banner {
  readonly sipPort: number;
  readonly httpUrl: string;
  readonly adminKey: string;
}

async function readBanner(child: ChildProcess, lines: string[]): Promise<Banner> {
  const found = new Map<string, string>();
  const patterns = {
    sip: /sip:[^@\s]+@[^:\s]+:(\d+)/,
    http: /(https?:\/\/[^/\s]+)/,
    key: /(pk_live_\w+)/,
  };
  return new Promise((resolve, reject) => {
    const timer = setTimeout(() => fail('was not ready in time'), READY_TIMEOUT_MS);
    const fail = (what: string) => {
      clearTimeout(timer);
      child.kill('SIGKILL');
      reject(new Error(`the gateway ${what}:\n${lines.join('\n')}`));
    };
    const onExit = (code: number | null) => fail(`ended with ${code}`);
    child.once('exit', onExit);
    for (const stream of [child.stdout, child.stderr]) {
      if (stream === null) continue;
      createInterface({ input: stream }).on('line', (line) => {
        lines.push(line);
        if (stream !== child.stdout || line.startsWith('{')) return;
        for (const [name, pattern] of Object.entries(patterns)) {
          const value = pattern.exec(line)?.[1];
          if (value !== undefined && !found.has(name)) found.set(name, value);
        }
        const [sip, http, key] = ['sip', 'http', 'key'].map((name) => found.get(name));
        if (sip === undefined || http === undefined || key === undefined) return;
        clearTimeout(timer);
        child.off('exit', onExit);
        resolve({ sipPort: Number(sip), httpUrl: http, adminKey: key });
      });
    }
  });
}

/** The test's own environment without settings that would reach the gateway by accident. */
function withoutSettings(env: NodeJS.ProcessEnv): NodeJS.ProcessEnv {
  const entries = Object.entries(env).filter(([name]) => !name.startsWith('TRUNKLINE_'));
  return Object.fromEntries(entries);
}
