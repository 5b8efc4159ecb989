import type { Brain, ToolCall } from '../../src/dialogue/brain.ts';
import type { AgentSnapshot } from '../../src/model/agent.ts';
import { asAgentId, asTurnId, asWorkspaceId } from '../../src/model/ids.ts';
import type { EndReason } from '../../src/model/end-reason.ts';
import type { TranscriptTurn } from '../../src/model/turn.ts';
import type { Activity, ConversationOptions } from '../../src/speech/conversation-options.ts';
import { Conversation } from '../../src/speech/conversation.ts';
import { HandMadeClock } from './hand-made-clock.ts';
import { HandMadeLeg } from './hand-made-leg.ts';

const TICK_SAMPLES = 160;

export const bakery: AgentSnapshot = {
  id: asAgentId('agt_bakery'),
  workspaceId: asWorkspaceId('ws_test'),
  displayName: 'Bakery',
  isEnabled: true,
  language: 'en-US',
  systemPrompt: '',
  greetingText: 'Hello {{name}}, this is the corner bakery. How can I help?',
  voice: 'slt',
  phrasebook: {
    entries: [
      {
        id: 'hours',
        says: ['what are your opening hours', 'when are you open'],
        replies: ['We are open from nine to five, Monday to Friday, and closed on weekends.'],
        topic: 'opening hours',
      },
      {
        id: 'address',
        says: ['where are you located', 'what is your address'],
        digits: '2',
        replies: ['You find us at twelve Market Street.'],
        topic: 'the address',
      },
      {
        id: 'cake',
        says: ['i want to order a cake', 'can i order a cake please'],
        replies: ['Gladly. Would you like chocolate?'],
        expects: 'yes-no',
        next: ['cake-yes', 'cake-no'],
      },
      { id: 'cake-yes', says: ['<yes>'], replies: ['One chocolate cake it is.'], isFollowUp: true },
      { id: 'cake-no', says: ['<no>'], replies: ['Then a plain one.'], isFollowUp: true },
      {
        id: 'goodbye',
        says: ['goodbye', 'bye'],
        replies: ['Goodbye, see you soon.'],
        after: 'hang-up',
      },
    ],
    fallbacks: ['I can help with {{topics}}.'],
  },
  tools: [],
  idle: { afterMs: 8000, prompts: ['Are you still there?'] },
  timeLimitSeconds: 600,
  concurrentCallsMax: 10,
  stt: { provider: 'embedded' },
  llm: { provider: 'phrasebook' },
  tts: { provider: 'embedded' },
};

export interface TestCallOptions {
  readonly agent?: AgentSnapshot;
  readonly variables?: Readonly<Record<string, string>>;
  readonly engines: ConversationOptions['engines'] & { settled(): Promise<void> };
  readonly brain?: Brain;
  readonly onTool?: (call: ToolCall) => Promise<unknown>;
}

/** A whole conversation whose time and audio the test makes by hand. */
export class TestCall {
  readonly clock = new HandMadeClock();
  readonly leg = new HandMadeLeg();
  readonly conversation: Conversation;
  readonly turns: TranscriptTurn[] = [];
  readonly activities: Activity[] = [];
  readonly ends: { reason: EndReason; detail: string | null; atMs: number }[] = [];
  readonly warnings: string[] = [];
  readonly #engines: TestCallOptions['engines'];

  constructor({ agent = bakery, variables = {}, engines, brain, onTool }: TestCallOptions) {
    this.#engines = engines;
    let turnCount = 0;
    this.conversation = new Conversation({
      agent,
      variables,
      source: this.leg,
      sink: this.leg,
      clock: this.clock,
      engines,
      newTurnId: () => {
        turnCount += 1;
        return asTurnId(`trn_${turnCount}`);
      },
      onTurn: (turn) => this.turns.push(turn),
      onActivity: (activity) => this.activities.push(activity),
      onEnded: (reason, detail) => this.ends.push({ reason, detail, atMs: this.clock.nowMs() }),
      onTool: onTool ?? (() => Promise.reject(new Error('no tools here'))),
      onLog: (_level, message, facts) => this.warnings.push(`${message} ${String(facts.code)}`),
      ...(brain === undefined ? {} : { brain }),
    });
  }

  /** Twenty milliseconds pass, and whatever was to be worked out in them was. */
  async tick(samples?: Int16Array): Promise<void> {
    this.clock.advance(20);
    this.leg.tick(samples);
    await this.#engines.settled();
  }

  /** The caller's line carries this. */
  async hears(samples: Int16Array): Promise<void> {
    for (let at = 0; at < samples.length; at += TICK_SAMPLES) {
      const frame = new Int16Array(TICK_SAMPLES);
      frame.set(samples.subarray(at, at + TICK_SAMPLES));
      await this.tick(frame);
    }
  }

  /** Silence, until something holds or time is up. */
  async until(holds: () => boolean, withinMs = 20_000): Promise<void> {
    for (let ms = 0; ms < withinMs && !holds(); ms += 20) await this.tick();
    if (!holds()) throw new Error(`not so within ${withinMs} ms: ${holds.toString()}`);
  }

  async silence(ms: number): Promise<void> {
    for (let passed = 0; passed < ms; passed += 20) await this.tick();
  }

  /** The agent said something and the word is free again. */
  async untilQuiet(withinMs = 20_000): Promise<void> {
    await this.until(() => this.activities.at(-1) === 'speaking' || this.ends.length > 0, withinMs);
    await this.until(() => this.activities.at(-1) !== 'speaking' || this.ends.length > 0, withinMs);
  }

  said(role: 'user' | 'agent'): string[] {
    return this.turns.filter((turn) => turn.role === role).map(({ text }) => text);
  }
}
