import type { MediaEngine } from '../media/media-engine.ts';
import { MediaError } from '../media/media-error.ts';
import type { AgentSnapshot } from '../model/agent.ts';
import type { LegId } from '../model/ids.ts';
import type { SpeechEngines } from '../speech/speech-engines.ts';
import { warmAgent } from '../speech/warm-agent.ts';
import type {
  CloseLeg,
  FinishConversation,
  FromWorker,
  InjectDigit,
  OpenLeg,
  Say,
  SendDigits,
  StartConversation,
  UpdateLeg,
  WorkerReport,
} from './protocol.ts';
import { WorkerLeg } from './worker-leg.ts';

export interface LegsOptions {
  readonly media: MediaEngine;
  readonly speech: SpeechEngines;
  readonly post: (message: FromWorker) => void;
  readonly onError: (error: unknown) => void;
}

/** All legs of one voice worker. A message for a leg that is gone is dropped: both sides may end it. */
export class Legs {
  readonly #options: LegsOptions;
  readonly #legs = new Map<LegId, WorkerLeg>();
  /** Legs whose ports are being taken; those closed meanwhile are removed from here. */
  readonly #opening = new Set<LegId>();

  constructor(options: LegsOptions) {
    this.#options = options;
  }

  warm(agent: AgentSnapshot): void {
    const { media, speech, onError } = this.#options;
    warmAgent(agent, speech, media.clipEncoders()).catch(onError);
  }

  open({ legId }: OpenLeg): void {
    const { media, speech, post, onError } = this.#options;
    this.#opening.add(legId);
    media.openLeg().then(
      (rtp) => {
        if (!this.#opening.delete(legId)) {
          rtp.close();
          return;
        }
        this.#legs.set(legId, new WorkerLeg({ legId, rtp, speech, post, onError }));
        post({ type: 'leg-opened', legId, local: rtp.local });
      },
      (error: unknown) => {
        this.#opening.delete(legId);
        const isFull = error instanceof MediaError && error.code === 'MEDIA_PORTS_EXHAUSTED';
        const code = isFull ? 'MEDIA_PORTS_EXHAUSTED' : 'MEDIA_SOCKET_FAILED';
        const message = error instanceof Error ? error.message : String(error);
        post({ type: 'leg-failed', legId, code, message });
      },
    );
  }

  update({ legId, parameters }: UpdateLeg): void {
    this.#legs.get(legId)?.update(parameters);
  }

  startConversation(message: StartConversation): void {
    this.#legs.get(message.legId)?.startConversation(message);
  }

  injectDigit({ legId, digit }: InjectDigit): void {
    this.#legs.get(legId)?.injectDigit(digit);
  }

  say({ legId, text }: Say): void {
    this.#legs.get(legId)?.say(text);
  }

  sendDigits({ legId, digits }: SendDigits): void {
    this.#legs.get(legId)?.sendDigits(digits);
  }

  finish({ legId, reason, withinMs }: FinishConversation): void {
    this.#legs.get(legId)?.finish(reason, withinMs);
  }

  close({ legId }: CloseLeg): void {
    this.#opening.delete(legId);
    const leg = this.#legs.get(legId);
    if (leg === undefined) return;
    this.#legs.delete(legId);
    this.#options.post({ type: 'leg-closed', legId, report: leg.close() });
  }

  report(): WorkerReport {
    const { lateness, load } = this.#options.media;
    const ticks = lateness.total;
    return {
      type: 'worker-report',
      legs: this.#legs.size,
      load,
      ticks,
      lateTicks: lateness.countAbove(5),
    };
  }
}
