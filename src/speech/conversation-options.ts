import type { Brain, ToolCall } from '../dialogue/brain.ts';
import type { AgentSnapshot, TransferTarget } from '../model/agent.ts';
import type { AudioSink, AudioSource } from '../model/audio.ts';
import type { CallNote } from '../model/call-note.ts';
import type { EndReason } from '../model/end-reason.ts';
import type { TurnId } from '../model/ids.ts';
import type { TranscriptTurn } from '../model/turn.ts';
import type { Clock } from './clock.ts';
import type { SpeechEngines } from './speech-engines.ts';

export type Activity = 'listening' | 'thinking' | 'speaking';

/** What one conversation needs from outside. The callbacks are called in order, never twice for one thing. */
export interface ConversationOptions {
  readonly agent: AgentSnapshot;
  readonly variables: Readonly<Record<string, string>>;
  readonly source: AudioSource;
  readonly sink: AudioSink;
  readonly clock: Clock;
  readonly engines: Pick<
    SpeechEngines,
    'clips' | 'detector' | 'speechToText' | 'textToSpeech' | 'fallbackTts'
  >;
  readonly newTurnId: (turn: Pick<TranscriptTurn, 'role' | 'via'>) => TurnId;
  readonly onTurn: (turn: TranscriptTurn) => void;
  readonly onActivity: (activity: Activity) => void;
  /** A tool is used, an idle prompt spoken: told when it begins. */
  readonly onNote?: (note: CallNote) => void;
  /**
   * What one side is saying, as far as it is known: each replaces the one before until that
   * side's turn is given to `onTurn`. It may come to nothing.
   */
  readonly onCaption?: (role: TranscriptTurn['role'], text: string) => void;
  /** Once at most; after it nothing else is called. */
  readonly onEnded: (reason: EndReason, detail: string | null) => void;
  /** Runs a tool of the agent's own. A rejection is told to the model as a failure. */
  readonly onTool: (call: ToolCall, signal: AbortSignal) => Promise<unknown>;
  /**
   * Puts the caller through. While that lasts the conversation neither hears nor speaks; it
   * resolves only when it has failed, with the reason in a few words for the brain.
   */
  readonly onTransfer?: (to: TransferTarget, signal: AbortSignal) => Promise<string>;
  readonly onLog?: (
    level: 'info' | 'warn',
    message: string,
    facts: Readonly<Record<string, unknown>>,
  ) => void;
  /** Default: the one that the agent's settings name. */
  readonly brain?: Brain;
}
