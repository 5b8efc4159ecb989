import type { RtpLeg } from '../media/rtp-leg.ts';
import type { LegReport, RtpParameters } from '../model/media.ts';
import type { BridgeEnd } from './bridge.ts';
import { LegConversation, type LegParts } from './leg-conversation.ts';
import type { StartConversation } from './protocol.ts';
import type { WorkerLeg } from './worker-leg.ts';

export interface PhoneLegOptions extends LegParts {
  readonly rtp: RtpLeg;
}

/** A leg whose media is plain RTP, as SIP agreed on it. */
export class PhoneLeg implements WorkerLeg {
  readonly conversation: LegConversation;
  readonly #rtp: RtpLeg;
  readonly #parts: Pick<LegParts, 'legId' | 'post'>;
  #updated: Promise<void> = Promise.resolve();
  #hasMedia = false;

  constructor(options: PhoneLegOptions) {
    const { rtp } = options;
    this.#rtp = rtp;
    this.#parts = options;
    this.conversation = new LegConversation({ ...options, media: rtp });
    rtp.onMediaTimedOut(() => this.conversation.end('media-timeout', null));
  }

  get media(): BridgeEnd | null {
    return this.#hasMedia ? this.#rtp : null;
  }

  /** Resolves when the last `update` took effect. */
  get updated(): Promise<void> {
    return this.#updated;
  }

  update(parameters: RtpParameters): void {
    this.#updated = this.#rtp.update(parameters).then(
      () => {
        this.#hasMedia = true;
      },
      (error: unknown) => {
        if (!this.conversation.isOver) this.conversation.fail(error);
      },
    );
    const { direction } = parameters;
    this.conversation.setOnHold(direction === 'recvonly' || direction === 'inactive');
  }

  /** Media starts with the first `update`, so this waits for it. */
  startConversation(message: StartConversation): void {
    void this.#updated.then(() => this.conversation.start(message));
  }

  /** The main thread sends the digits from now on. */
  carryDigits(): void {
    this.#rtp.carryDigits(async (digits) => {
      const { legId, post } = this.#parts;
      post({ type: 'digits-wanted', legId, digits });
    });
  }

  injectDigit(digit: string): void {
    this.#rtp.injectDigit(digit);
  }

  report(): LegReport {
    return this.#rtp.report();
  }

  close(): LegReport {
    this.conversation.close();
    const { answeredBy } = this.conversation;
    const report = this.#rtp.close();
    return answeredBy === null ? report : { ...report, answeredBy };
  }
}
