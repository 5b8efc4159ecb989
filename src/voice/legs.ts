import type { MediaEngine } from '../media/media-engine.ts';
import { MediaError } from '../media/media-error.ts';
import type { WebRtcPort } from '../media/webrtc/webrtc-port.ts';
import type { AgentSnapshot } from '../model/agent.ts';
import type { LegId } from '../model/ids.ts';
import type { SpeechEngines } from '../speech/speech-engines.ts';
import { warmAgent } from '../speech/warm-agent.ts';
import { Bridges } from './bridges.ts';
import { PhoneLeg } from './phone-leg.ts';
import type {
  BridgeLegs,
  CarryDigits,
  CloseLeg,
  FinishConversation,
  FromWorker,
  InjectDigit,
  LegFailureCode,
  OpenLeg,
  OpenWebLeg,
  ResumeWebLeg,
  Say,
  RingBack,
  SendDigits,
  StartConversation,
  StepAside,
  StepBack,
  ToolDone,
  TransferFailed,
  UpdateLeg,
  WatchLeg,
  WorkerReport,
} from './protocol.ts';
import { WebLeg } from './web-leg.ts';
import type { WorkerLeg } from './worker-leg.ts';

export interface LegsOptions {
  readonly media: MediaEngine;
  readonly speech: SpeechEngines;
  /** Opens the port that this worker's browsers share, once the first of them comes. */
  readonly openWebRtcPort: () => Promise<WebRtcPort>;
  readonly post: (message: FromWorker) => void;
  readonly onError: (error: unknown) => void;
  /** Everything is closed: the thread may end. */
  readonly onStopped: () => void;
}

/** All legs of one voice worker. A message for a leg that is gone is dropped: both sides may end it. */
export class Legs {
  readonly #options: LegsOptions;
  readonly #legs = new Map<LegId, WorkerLeg>();
  /** Legs whose ports are being taken; those closed meanwhile are removed from here. */
  readonly #opening = new Set<LegId>();
  readonly #bridges: Bridges;
  #webRtcPort: Promise<WebRtcPort> | null = null;

  constructor(options: LegsOptions) {
    this.#options = options;
    this.#bridges = new Bridges(this.#legs, options.onError);
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
        const leg = new PhoneLeg({ legId, rtp, speech, post, onError });
        if (this.#keep(legId, leg)) post({ type: 'leg-opened', legId, local: rtp.local });
      },
      (error: unknown) => this.#openFailed(legId, error, 'MEDIA_SOCKET_FAILED'),
    );
  }

  openWeb({ legId, offerSdp }: OpenWebLeg): void {
    this.#opening.add(legId);
    this.#answerBrowser(legId, offerSdp).then(
      (leg) => {
        const { answerSdp } = leg;
        if (!this.#keep(legId, leg)) return;
        this.#options.post({ type: 'web-leg-opened', legId, answerSdp });
      },
      (error: unknown) => this.#openFailed(legId, error, 'MEDIA_WEBRTC_UNAVAILABLE'),
    );
  }

  resumeWeb({ legId, requestId, offerSdp }: ResumeWebLeg): void {
    const leg = this.#legs.get(legId);
    let answerSdp: string | null = null;
    try {
      if (leg instanceof WebLeg) answerSdp = leg.resume(offerSdp);
    } catch (error) {
      if (!(error instanceof MediaError)) this.#options.onError(error);
    }
    this.#options.post({ type: 'web-leg-resumed', legId, requestId, answerSdp });
  }

  update({ legId, parameters }: UpdateLeg): void {
    this.#phone(legId)?.update(parameters);
  }

  startConversation(message: StartConversation): void {
    this.#legs.get(message.legId)?.startConversation(message);
  }

  injectDigit({ legId, digit }: InjectDigit): void {
    this.#legs.get(legId)?.injectDigit(digit);
  }

  say({ legId, text }: Say): void {
    this.#legs.get(legId)?.conversation.say(text);
  }

  sendDigits({ legId, digits }: SendDigits): void {
    void this.#legs.get(legId)?.conversation.sendDigits(digits);
  }

  watch({ legId, isWatched }: WatchLeg): void {
    this.#legs.get(legId)?.conversation.setWatched(isWatched);
  }

  stepAside({ legId }: StepAside): void {
    this.#legs.get(legId)?.conversation.stepAside();
  }

  stepBack({ legId }: StepBack): void {
    this.#legs.get(legId)?.conversation.stepBack();
  }

  transferFailed({ legId, requestId, why }: TransferFailed): void {
    this.#legs.get(legId)?.conversation.transferFailed(requestId, why);
  }

  toolDone({ legId, requestId, result }: ToolDone): void {
    this.#legs.get(legId)?.conversation.toolDone(requestId, result);
  }

  ringBack({ legId, isOn }: RingBack): void {
    this.#bridges.ring(legId, isOn);
  }

  carryDigits({ legId }: CarryDigits): void {
    this.#phone(legId)?.carryDigits();
  }

  bridge({ legId, otherLegId }: BridgeLegs): void {
    void this.#bridges.join(legId, otherLegId);
  }

  finish({ legId, reason, withinMs }: FinishConversation): void {
    this.#legs.get(legId)?.conversation.finish(reason, withinMs);
  }

  close({ legId, reason }: Pick<CloseLeg, 'legId' | 'reason'>): void {
    this.#opening.delete(legId);
    const leg = this.#legs.get(legId);
    if (leg === undefined) return;
    this.#legs.delete(legId);
    this.#bridges.forget(legId);
    this.#options.post({ type: 'leg-closed', legId, report: leg.close(reason) });
  }

  /** Closes every leg and every port. */
  stop(): void {
    this.#opening.clear();
    for (const legId of this.#legs.keys()) this.close({ legId, reason: 'stopped-by-operator' });
    this.#options.media.close();
    const port = this.#webRtcPort ?? Promise.resolve(null);
    port
      .then((open) => open?.close())
      .catch(() => {})
      .finally(this.#options.onStopped);
  }

  /** To be called every `QUALITY_WINDOW_MS`. */
  watchQuality(): void {
    for (const leg of this.#legs.values()) leg.conversation.watchQuality(leg.report());
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

  async #answerBrowser(legId: LegId, offerSdp: string): Promise<WebLeg> {
    const { media, speech, post, onError } = this.#options;
    const port = await this.#openPort();
    return WebLeg.open(offerSdp, {
      legId,
      rtc: { port, ...media.shared },
      speech,
      post,
      onError,
    });
  }

  /** A failure is not remembered: the next browser tries again. */
  #openPort(): Promise<WebRtcPort> {
    this.#webRtcPort ??= this.#options.openWebRtcPort().catch((error: unknown) => {
      this.#webRtcPort = null;
      this.#options.onError(error);
      throw error;
    });
    return this.#webRtcPort;
  }

  /** False, and the leg is closed, when nobody wants it any more. */
  #keep(legId: LegId, leg: WorkerLeg): boolean {
    const isWanted = this.#opening.delete(legId);
    if (isWanted) this.#legs.set(legId, leg);
    else leg.close('caller-canceled');
    return isWanted;
  }

  #openFailed(legId: LegId, error: unknown, otherwise: LegFailureCode): void {
    this.#opening.delete(legId);
    const code = error instanceof MediaError ? failureCodeOf(error, otherwise) : otherwise;
    const message = error instanceof Error ? error.message : String(error);
    this.#options.post({ type: 'leg-failed', legId, code, message });
  }

  #phone(legId: LegId): PhoneLeg | null {
    const leg = this.#legs.get(legId);
    return leg instanceof PhoneLeg ? leg : null;
  }
}

function failureCodeOf({ code }: MediaError, otherwise: LegFailureCode): LegFailureCode {
  switch (code) {
    case 'MEDIA_PORTS_EXHAUSTED':
    case 'MEDIA_SOCKET_FAILED':
    case 'MEDIA_OFFER_TOO_LARGE':
    case 'MEDIA_OFFER_INVALID':
    case 'MEDIA_OFFER_UNSUPPORTED':
    case 'MEDIA_PEERS_EXHAUSTED':
    case 'MEDIA_WEBRTC_UNAVAILABLE':
      return code;
    default:
      return otherwise;
  }
}
