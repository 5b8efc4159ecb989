import { WebRtcLeg, type WebRtcLegOptions } from '../media/webrtc/webrtc-leg.ts';
import type { WebRtcCloseReason } from '../media/webrtc/webrtc-transport.ts';
import type { CallCommand } from '../model/call-events.ts';
import type { EndReason } from '../model/end-reason.ts';
import type { LegReport } from '../model/media.ts';
import type { BridgeEnd } from './bridge.ts';
import { LegConversation, type LegParts } from './leg-conversation.ts';
import { LiveCaptions } from './live-captions.ts';
import type { StartConversation } from './protocol.ts';
import type { WorkerLeg } from './worker-leg.ts';

export interface WebLegOptions extends LegParts {
  readonly rtc: Pick<WebRtcLegOptions, 'port' | 'codecs' | 'ticker'>;
}

const COMMAND_LENGTH_MAX = 1024;

const END_REASONS: Readonly<Record<WebRtcCloseReason, EndReason>> = {
  'closed-by-us': 'stopped-by-operator',
  'remote-closed': 'caller-hung-up',
  'ice-timeout': 'media-never-connected',
  'dtls-failed': 'media-never-connected',
  'network-lost': 'caller-lost',
  'internal-error': 'internal-error',
};

/** A leg whose media is a browser's: it also shows the browser its own call as text. */
export class WebLeg implements WorkerLeg {
  readonly conversation: LegConversation;
  readonly #rtc: WebRtcLeg;
  readonly #captions: LiveCaptions;

  private constructor(rtc: WebRtcLeg, captions: LiveCaptions, options: WebLegOptions) {
    this.#rtc = rtc;
    this.#captions = captions;
    const audience = {
      onTurn: captions.onTurn.bind(captions),
      onActivity: captions.onActivity.bind(captions),
      onCaption: captions.onCaption.bind(captions),
    };
    this.conversation = new LegConversation({ ...options, media: rtc, audience });
  }

  /** Answers a browser's offer. Rejects with what `WebRtcLeg.accept` does. */
  static async open(offerSdp: string, options: WebLegOptions): Promise<WebLeg> {
    const { legId, post, onError } = options;
    const captions = new LiveCaptions((text) => rtc.sendMessage(text));
    const rtc = await WebRtcLeg.accept(offerSdp, {
      ...options.rtc,
      onError,
      onConnected: () => post({ type: 'web-leg-connected', legId }),
      onMessagesOpen: () => captions.flush(),
      onMessage: (text) => {
        if (isHangUp(text)) leg.conversation.end('caller-hung-up', null);
      },
      onClosed: (reason) => leg.conversation.end(END_REASONS[reason], reason),
    });
    const leg = new WebLeg(rtc, captions, options);
    return leg;
  }

  get media(): BridgeEnd {
    return this.#rtc;
  }

  get answerSdp(): string {
    return this.#rtc.answerSdp;
  }

  /** Throws what `WebRtcLeg.resume` does; the leg goes on as it was then. */
  resume(offerSdp: string): string {
    const answerSdp = this.#rtc.resume(offerSdp);
    this.conversation.setOnHold(this.#rtc.isOnHold);
    return answerSdp;
  }

  injectDigit(digit: string): void {
    this.#rtc.injectDigit(digit);
  }

  startConversation(message: StartConversation): void {
    this.conversation.start(message);
  }

  report(): LegReport {
    return this.#rtc.report();
  }

  close(reason: EndReason): LegReport {
    // Its last turn first: a caption after the end would come too late.
    this.conversation.close();
    this.#captions.onEnded(reason);
    return this.#rtc.close();
  }
}

/** A browser may write what it likes; what is no command of ours is ignored. */
function isHangUp(text: string): boolean {
  if (text.length > COMMAND_LENGTH_MAX) return false;
  try {
    const command: unknown = JSON.parse(text);
    const wanted: CallCommand['type'] = 'hang-up';
    return typeof command === 'object' && command !== null && 'type' in command
      ? command.type === wanted
      : false;
  } catch {
    return false;
  }
}
