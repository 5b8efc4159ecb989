import type { TranscriptTurn } from '../../src/model/turn.ts';
import { asTurnId } from '../../src/model/ids.ts';
import { systemClock } from '../../src/speech/clock.ts';
import { Conversation } from '../../src/speech/conversation.ts';
import { SpeechEngines } from '../../src/speech/speech-engines.ts';
import { bakery } from '../support/conversation-on-hand-made-leg.ts';
import { HandMadeClock } from '../support/hand-made-clock.ts';
import { HandMadeLeg } from '../support/hand-made-leg.ts';
import {
  callerSays,
  type CallerVoice,
  joined,
  lineSilence,
  voiceSpan,
} from '../support/test-caller.ts';
import { type Percentiles, percentiles } from './percentiles.ts';

const TICK_MS = 20;
const TICK_SAMPLES = 160;

/** Twelve things that callers say to the bakery; each by two voices. */
const SENTENCES = [
  'what are your opening hours',
  'when are you open',
  'where are you located',
  'what is your address',
  'can i order a cake please',
  'i want to order a cake',
  'please tell me what your address is',
  'hello what are your opening hours',
  'can you tell me when you are open',
  'could you repeat that please',
  'what can you do',
  'thank you',
];
/** The same with a breath in the middle, in milliseconds. */
const WITH_PAUSE: readonly (readonly [string, number, string])[] = [
  ['i want to', 350, 'order a cake'],
  ['what is your', 400, 'address'],
  ['can i', 300, 'order a cake please'],
  ['where are', 350, 'you located'],
  ['what are your', 500, 'opening hours'],
  ['when are', 250, 'you open'],
];

interface Utterance {
  readonly name: string;
  readonly samples: Int16Array;
  readonly endMs: number;
}

function utterances(): Utterance[] {
  const voices: CallerVoice[] = ['rms', 'slt'];
  const plain = voices.flatMap((voice) =>
    SENTENCES.map((text) => utterance(text, callerSays(text, voice))),
  );
  const paused = voices.flatMap((voice) =>
    WITH_PAUSE.map(([first, pauseMs, second]) => {
      const parts = [
        trimmed(callerSays(first, voice)),
        lineSilence(pauseMs),
        trimmed(callerSays(second, voice)),
      ];
      return utterance(`${first} … ${second}`, joined(...parts));
    }),
  );
  return [...plain, ...paused];
}

function utterance(name: string, samples: Int16Array): Utterance {
  return { name, samples, endMs: voiceSpan(samples).endMs };
}

function trimmed(speech: Int16Array): Int16Array {
  const { startMs, endMs } = voiceSpan(speech);
  return speech.slice(Math.max(0, startMs - 20) * 8, (endMs + 20) * 8);
}

export interface TurnFigures {
  /** True end of the voice, by loudness, to the first frame of the reply that leaves. */
  readonly latencyMs: Percentiles;
  readonly falseCuts: number;
  readonly utterances: number;
}

/**
 * Calls with all utterances one after the other, on the embedded engines. In real time
 * everything counts: voice detection, recognition, endpointing, brain, synthesis. In media
 * time the engines take no time: what is left is what turn-taking waits for.
 */
export async function measureTurns(
  time: 'real' | 'media' = 'real',
  callsAtOnce = 1,
): Promise<TurnFigures> {
  const engines = await SpeechEngines.load();
  await engines.warmUp(new AbortController().signal);
  try {
    const calls = Array.from({ length: callsAtOnce }, (_, index) => oneCall(engines, index, time));
    const results = await Promise.all(calls);
    return {
      latencyMs: percentiles(results.flatMap(({ latencies }) => latencies)),
      falseCuts: results.reduce((sum, { falseCuts }) => sum + falseCuts, 0),
      utterances: results.reduce((sum, { count }) => sum + count, 0),
    };
  } finally {
    await engines.close();
  }
}

async function oneCall(engines: SpeechEngines, index: number, time: 'real' | 'media') {
  const clock = new HandMadeClock();
  const leg = new HandMadeLeg();
  const turns: TranscriptTurn[] = [];
  const agent = { ...bakery, greetingText: '', idle: { afterMs: 0, prompts: [] } };
  const conversation = new Conversation({
    agent,
    variables: {},
    source: leg,
    sink: leg,
    clock: time === 'real' ? systemClock : clock,
    engines,
    newTurnId: () => asTurnId(`trn_${turns.length}`),
    onTurn: (turn) => turns.push(turn),
    onActivity: () => undefined,
    onEnded: () => undefined,
    onTool: async () => null,
  });
  await conversation.prepare();
  conversation.start();
  const pace = time === 'real' ? new RealPace() : new MediaPace(clock, engines);
  const latencies: number[] = [];
  let falseCuts = 0;
  const all = utterances();
  for (let i = 0; i < all.length; i += 1) {
    // Another order in each call.
    const { samples, endMs, name } = all[(i + index * 5) % all.length] ?? {
      samples: new Int16Array(0),
      endMs: 0,
      name: '',
    };
    await run(leg, pace, lineSilence(300));
    const usersBefore = turns.filter(({ role }) => role === 'user').length;
    const startTick = leg.ticks;
    await run(leg, pace, samples);
    let spokeAt = leg.sent.findIndex((frame, tick) => tick >= startTick && frame !== null);
    for (let waited = 0; spokeAt < 0 && waited < 3000; waited += TICK_MS) {
      await run(leg, pace, lineSilence(TICK_MS));
      spokeAt = leg.sent[leg.ticks - 1] === null ? -1 : leg.ticks - 1;
    }
    const latencyMs = (spokeAt - startTick + 1) * TICK_MS - endMs;
    await run(leg, pace, lineSilence(300));
    const users = turns.filter(({ role }) => role === 'user').length - usersBefore;
    if (latencyMs < 0 || users > 1) falseCuts += 1;
    else latencies.push(latencyMs);
    if (process.env.TRUNKLINE_BENCH_DETAIL !== undefined) {
      const said = turns.filter(({ role }) => role === 'user').at(-1)?.text;
      console.log(`${name}: ${latencyMs.toFixed(0)} ms, ${users} turns, "${said}"`);
    }
    // Let the agent stop, so that the next utterance is no barge-in.
    leg.discard();
    await run(leg, pace, lineSilence(100));
  }
  conversation.close();
  return { latencies, falseCuts, count: all.length };
}

interface Pace {
  next(): Promise<void>;
}

/** Twenty milliseconds last as long as the engines need. */
class MediaPace implements Pace {
  readonly #clock: HandMadeClock;
  readonly #engines: SpeechEngines;

  constructor(clock: HandMadeClock, engines: SpeechEngines) {
    this.#clock = clock;
    this.#engines = engines;
  }

  next(): Promise<void> {
    this.#clock.advance(TICK_MS);
    return this.#engines.settled();
  }
}

/** Wakes every 20 ms by the machine's clock, without drift. */
class RealPace implements Pace {
  #nextMs = performance.now();

  async next(): Promise<void> {
    this.#nextMs += TICK_MS;
    const waitMs = this.#nextMs - performance.now();
    await new Promise((resolve) => setTimeout(resolve, Math.max(0, waitMs)));
  }
}

async function run(leg: HandMadeLeg, pace: Pace, samples: Int16Array): Promise<void> {
  for (let at = 0; at < samples.length; at += TICK_SAMPLES) {
    const frame = new Int16Array(TICK_SAMPLES);
    frame.set(samples.subarray(at, at + TICK_SAMPLES));
    leg.tick(frame);
    await pace.next();
  }
}

/** CPU of the whole process, in percent of one core, per call: in silence, and while it hears speech. */
export async function measureListeningCpu(): Promise<{
  silentPercent: number;
  speechPercent: number;
}> {
  const engines = await SpeechEngines.load();
  try {
    const stt = engines.speechToText(bakery);
    await stt.prewarm(new AbortController().signal);
    const detector = engines.detector(8000);
    const hearing = stt.open({
      sampleRateHz: 8000,
      language: 'en',
      signal: new AbortController().signal,
      onInterim: () => undefined,
    });
    const cpu = async (samples: Int16Array, isHeard: boolean): Promise<number> => {
      const before = process.cpuUsage();
      for (let at = 0; at + TICK_SAMPLES <= samples.length; at += TICK_SAMPLES) {
        const frame = { samples: samples.subarray(at, at + TICK_SAMPLES), sampleRateHz: 8000 };
        detector.process(frame);
        if (isHeard) hearing.write(frame, at / 8);
      }
      if (isHeard) await hearing.finalize();
      const { user, system } = process.cpuUsage(before);
      return (user + system) / 1000 / (samples.length / 8);
    };
    const speech = joined(...SENTENCES.map((text) => trimmed(callerSays(text))));
    await cpu(speech, true);
    const speechShare = await cpu(speech, true);
    const silentShare = await cpu(lineSilence(60_000), false);
    return { silentPercent: silentShare * 100, speechPercent: speechShare * 100 };
  } finally {
    await engines.close();
  }
}

/** Text given to first audio received, of first clauses, on an idle machine. */
export async function measureFirstAudio(): Promise<Percentiles> {
  const engines = await SpeechEngines.load();
  try {
    await engines.warmUp(new AbortController().signal);
    const tts = engines.textToSpeech(bakery);
    const values: number[] = [];
    const clauses = [
      'Sure.',
      'Gladly.',
      'You find us at twelve Market Street.',
      'I can help with opening hours or the address.',
      'We are open from nine to five,',
    ];
    for (const clause of [...clauses, ...clauses, ...clauses]) {
      const startedAt = performance.now();
      const options = { signal: new AbortController().signal, voice: 'slt', language: 'en' };
      for await (const _ of tts.synthesize(once(clause), options)) {
        values.push(performance.now() - startedAt);
        break;
      }
    }
    return percentiles(values);
  } finally {
    await engines.close();
  }
}

/** Onset of the caller's voice, by loudness, to the tick on which the agent is held; in media time. */
export async function measureBargeIn(): Promise<Percentiles> {
  const engines = await SpeechEngines.load();
  await engines.warmUp(new AbortController().signal);
  try {
    const values: number[] = [];
    for (const voice of ['rms', 'slt'] as const) {
      for (const text of SENTENCES) {
        const leg = new HandMadeLeg();
        const conversation = new Conversation({
          agent: bakery,
          variables: { name: 'Ada' },
          source: leg,
          sink: leg,
          clock: systemClock,
          engines,
          newTurnId: () => asTurnId('trn_0'),
          onTurn: () => undefined,
          onActivity: () => undefined,
          onEnded: () => undefined,
          onTool: async () => null,
        });
        await conversation.prepare();
        conversation.start();
        while (leg.queuedMs() === 0) await new Promise((resolve) => setImmediate(resolve));
        for (let i = 0; i < 30; i += 1) leg.tick(lineSilence(TICK_MS));
        const speech = callerSays(text, voice);
        const onsetMs = leg.ticks * TICK_MS + voiceSpan(speech).startMs;
        for (let at = 0; at < speech.length && leg.holds.length === 0; at += TICK_SAMPLES) {
          const frame = new Int16Array(TICK_SAMPLES);
          frame.set(speech.subarray(at, at + TICK_SAMPLES));
          leg.tick(frame);
        }
        const [held] = leg.holds;
        if (held !== undefined) values.push(held * TICK_MS - onsetMs);
        conversation.close();
      }
    }
    return percentiles(values);
  } finally {
    await engines.close();
  }
}

async function* once(text: string): AsyncGenerator<string> {
  yield text;
}

if (process.argv[1] === import.meta.filename) {
  console.log('first audio of a clause, ms', await measureFirstAudio());
  console.log('listening, % of a core', await measureListeningCpu());
  console.log('onset to hold, ms', await measureBargeIn());
  console.log('end of speech to first audio, media time', await measureTurns('media'));
  console.log('end of speech to first audio, real time', await measureTurns('real'));
}
