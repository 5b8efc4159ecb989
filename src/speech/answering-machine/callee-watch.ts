import type { AgentSnapshot } from '../../model/agent.ts';
import type { AudioFrame, AudioSource } from '../../model/audio.ts';
import type { AnsweredBy, MachineDetection } from '../../model/machine-detection.ts';
import type { Hearing, VoiceActivityDetector } from '../provider.ts';
import type { SpeechEngines } from '../speech-engines.ts';
import { type CalleeAction, CalleeJudge } from './callee-judge.ts';

export interface CalleeWatchOptions {
  readonly source: AudioSource;
  readonly agent: AgentSnapshot;
  readonly engines: Pick<SpeechEngines, 'detector' | 'speechToText'>;
  readonly detection: MachineDetection;
  /** Once, unless it is closed before. */
  readonly onDecided: (action: CalleeAction, answeredBy: AnsweredBy) => void;
}

/** Lets a `CalleeJudge` hear the leg, and read its words where the agent's recognizer dictates. */
export class CalleeWatch {
  readonly #options: CalleeWatchOptions;
  readonly #judge: CalleeJudge;
  readonly #detector: VoiceActivityDetector;
  readonly #hearing: Hearing | null;
  readonly #abort = new AbortController();
  #isWriting = false;
  #isClosed = false;

  constructor(options: CalleeWatchOptions) {
    const { source, engines, detection } = options;
    this.#options = options;
    this.#judge = new CalleeJudge(detection);
    this.#detector = engines.detector(source.sampleRateHz);
    this.#hearing = this.#openHearing();
    source.onFrame((frame, mediaTimeMs) => {
      if (!this.#isClosed) this.#hear(frame, mediaTimeMs);
    });
  }

  /** Who it is, as far as that is known by now. */
  get answeredBy(): AnsweredBy | null {
    return this.#judge.answeredBy;
  }

  close(): void {
    if (this.#isClosed) return;
    this.#isClosed = true;
    this.#abort.abort();
    this.#hearing?.close();
    this.#detector.close();
  }

  #openHearing(): Hearing | null {
    const { source, agent, engines } = this.#options;
    // The embedded recognizer hears nothing but the agent's own phrasebook.
    if (agent.stt.provider === 'embedded') return null;
    return engines.speechToText(agent).open({
      sampleRateHz: source.sampleRateHz,
      language: agent.language,
      signal: this.#abort.signal,
      onInterim: ({ text }) => this.#judge.heardWords(text),
    });
  }

  #hear(frame: AudioFrame, mediaTimeMs: number): void {
    const action = this.#judge.hear(frame, this.#detector.process(frame), mediaTimeMs);
    this.#transcribe(frame, mediaTimeMs);
    const { answeredBy } = this.#judge;
    if (action === null || answeredBy === null) return;
    this.close();
    this.#options.onDecided(action, answeredBy);
  }

  /** Asks for the words at each breath. */
  #transcribe(frame: AudioFrame, mediaTimeMs: number): void {
    if (this.#hearing === null) return;
    const { isSpeaking } = this.#judge;
    if (isSpeaking || this.#isWriting) this.#hearing.write(frame, mediaTimeMs);
    if (this.#isWriting && !isSpeaking) this.#hearing.pause();
    this.#isWriting = isSpeaking;
  }
}
