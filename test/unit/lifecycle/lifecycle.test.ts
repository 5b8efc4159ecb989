import assert from 'node:assert/strict';
import { Lifecycle, type Part, runUntilAsked, type StopRequest } from '../../../src/lifecycle.ts';
import { createLogger, silentLogger } from '../../../src/observability/logger.ts';

/** A part that notes what happens to it. */
function part(name: string, notes: string[], change: Partial<Part> = {}): Part {
  return {
    name,
    start: async () => void notes.push(`start ${name}`),
    stop: async () => void notes.push(`stop ${name}`),
    ...change,
  };
}

/** Stops when hurried, or when told that its work is done. */
function busyPart(name: string, notes: string[]) {
  let finish = () => {};
  const stop = (hurry: AbortSignal) =>
    new Promise<void>((resolve) => {
      finish = () => {
        notes.push(`finished ${name}`);
        resolve();
      };
      const giveUp = () => {
        notes.push(`hurried ${name}`);
        resolve();
      };
      notes.push(`stopping ${name}`);
      if (hurry.aborted) giveUp();
      else hurry.addEventListener('abort', giveUp, { once: true });
    });
  return {
    part: part(name, notes, { stop, waitingFor: () => '3 calls live' }),
    finish: () => finish(),
  };
}

function requests() {
  let send: (request: StopRequest) => void = () => {};
  return {
    source: {
      onRequest(listener: (request: StopRequest) => void) {
        send = listener;
        return () => {};
      },
    },
    send: (name = 'SIGTERM', isBug = false) => send({ name, isBug }),
  };
}

/** A logger whose lines can be waited for. */
function observedLog() {
  const lines: string[] = [];
  const waiting: { text: string; count: number; done(): void }[] = [];
  const count = (text: string) => lines.filter((line) => line.includes(text)).length;
  const log = createLogger({
    level: 'debug',
    pretty: 'never',
    destination: {
      write(line: string) {
        lines.push(line);
        for (const one of waiting) if (count(one.text) >= one.count) one.done();
      },
    },
  });
  const saying = (text: string, times = 1) =>
    new Promise<void>((done) => {
      if (count(text) >= times) done();
      else waiting.push({ text, count: times, done });
    });
  return { log, lines, saying };
}

describe('the lifecycle', () => {
  it('starts in order and stops in reverse', async () => {
    const notes: string[] = [];
    const lifecycle = new Lifecycle({ log: silentLogger() });
    assert.equal(await lifecycle.start([part('a', notes), part('b', notes)]), true);
    assert.equal(await lifecycle.stop(AbortSignal.abort()), true);
    assert.deepEqual(notes, ['start a', 'start b', 'stop b', 'stop a']);
  });

  it('stops the parts before the one that failed to start, and says why', async () => {
    const notes: string[] = [];
    const { log, lines } = observedLog();
    const broken = part('c', notes, { start: () => Promise.reject(new Error('port is taken')) });
    const lifecycle = new Lifecycle({ log });
    await assert.rejects(
      lifecycle.start([part('a', notes), part('b', notes), broken, part('d', notes)]),
      /port is taken/,
    );
    assert.deepEqual(notes, ['start a', 'start b', 'stop b', 'stop a']);
    assert.ok(lines.some((line) => line.includes('"part":"c"') && line.includes('port is taken')));
  });

  it('goes on stopping when one part fails to, and says that it was not clean', async () => {
    const notes: string[] = [];
    const broken = part('b', notes, { stop: () => Promise.reject(new Error('stuck')) });
    const lifecycle = new Lifecycle({ log: silentLogger() });
    await lifecycle.start([part('a', notes), broken, part('c', notes)]);
    assert.equal(await lifecycle.stop(AbortSignal.abort()), false);
    assert.deepEqual(notes, ['start a', 'start b', 'start c', 'stop c', 'stop a']);
  });

  it('gives up on a part that ignores being hurried', async () => {
    const notes: string[] = [];
    const deaf = part('b', notes, { stop: () => new Promise(() => {}) });
    const lifecycle = new Lifecycle({ log: silentLogger(), hurryGraceMs: 1 });
    await lifecycle.start([part('a', notes), deaf]);
    assert.equal(await lifecycle.stop(AbortSignal.abort()), false);
    assert.deepEqual(notes, ['start a', 'start b', 'stop a']);
  });

  it('stops once, however often it is asked', async () => {
    const notes: string[] = [];
    const lifecycle = new Lifecycle({ log: silentLogger() });
    await lifecycle.start([part('a', notes)]);
    await Promise.all([lifecycle.stop(AbortSignal.abort()), lifecycle.stop(AbortSignal.abort())]);
    assert.deepEqual(notes, ['start a', 'stop a']);
  });
});

describe('a run', () => {
  it('drains at the first request, saying again and again what it waits for', async () => {
    const notes: string[] = [];
    const { source, send } = requests();
    const { log, saying, lines } = observedLog();
    const calls = busyPart('calls', notes);
    const run = runUntilAsked({
      log,
      parts: [part('storage', notes), calls.part],
      requests: source,
      drainTimeoutMs: 60_000,
      reportEveryMs: 1,
      onReady: () => send(),
      onDrain: () => void notes.push('draining'),
    });
    await saying('draining: 3 calls live', 3);
    calls.finish();
    assert.equal(await run, 0);
    assert.deepEqual(notes.slice(2), [
      'draining',
      'stopping calls',
      'finished calls',
      'stop storage',
    ]);
    assert.ok(lines.some((line) => line.includes('"signal":"SIGTERM"')));
  });

  it('hangs up at the second request', async () => {
    const notes: string[] = [];
    const { source, send } = requests();
    const { log, saying } = observedLog();
    const run = runUntilAsked({
      log,
      parts: [busyPart('calls', notes).part],
      requests: source,
      drainTimeoutMs: 60_000,
      onReady: () => send(),
    });
    await saying('draining: 3 calls live');
    send('SIGINT');
    assert.equal(await run, 0);
    assert.deepEqual(notes.slice(1), ['stopping calls', 'hurried calls']);
  });

  it('hangs up when the drain takes too long', async () => {
    const notes: string[] = [];
    const { source, send } = requests();
    const run = runUntilAsked({
      log: silentLogger(),
      parts: [busyPart('calls', notes).part],
      requests: source,
      drainTimeoutMs: 1,
      onReady: () => send(),
    });
    assert.equal(await run, 0);
    assert.equal(notes.at(-1), 'hurried calls');
  });

  it('stops at once and fails when a bug was not caught', async () => {
    const notes: string[] = [];
    const { source, send } = requests();
    const run = runUntilAsked({
      log: silentLogger(),
      parts: [busyPart('calls', notes).part],
      requests: source,
      drainTimeoutMs: 60_000,
      onReady: () => send('bug', true),
    });
    assert.equal(await run, 1);
  });

  it('asked to stop while it starts, starts nothing more', async () => {
    const notes: string[] = [];
    const { source, send } = requests();
    const first = part('a', notes, {
      start: async () => {
        notes.push('start a');
        send();
      },
    });
    const run = runUntilAsked({
      log: silentLogger(),
      parts: [first, part('b', notes)],
      requests: source,
      drainTimeoutMs: 60_000,
      onReady: () => void notes.push('ready'),
    });
    assert.equal(await run, 0);
    assert.deepEqual(notes, ['start a', 'stop a']);
  });

  it('fails when a part fails to start', async () => {
    const broken = part('a', [], { start: () => Promise.reject(new Error('no')) });
    const options = { log: silentLogger(), parts: [broken], drainTimeoutMs: 1 };
    assert.equal(await runUntilAsked({ ...options, requests: requests().source }), 1);
  });
});
