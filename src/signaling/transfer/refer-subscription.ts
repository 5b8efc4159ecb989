import type { SrfMessage } from '../drachtio.ts';
import type { ReferResult } from './refer.ts';
import { isTerminated, sipfragStatus } from './sipfrag.ts';

export interface ReferSubscriptionOptions {
  /** For the final word, counted anew with each NOTIFY. */
  readonly newsMs: number;
  /** 202 once it is accepted, then each provisional status of the call that the far side makes. */
  readonly onProgress: (sipStatus: number) => void;
}

/**
 * The subscription that a REFER makes (RFC 3515 §2.4).
 *
 *   sent ──2xx, or a NOTIFY that was faster──▶ accepted ──NOTIFY 1xx──▶ accepted
 *    └─3xx-6xx, no answer──▶ over (refused)        └──NOTIFY ≥ 200, end, no news──▶ over
 *
 * A far side that hangs up once it has accepted is on its way: many do so at once.
 */
export class ReferSubscription {
  /** Settles once. Never rejects. */
  readonly result: Promise<ReferResult>;
  readonly #options: ReferSubscriptionOptions;
  #state: 'sent' | 'accepted' | 'over' = 'sent';
  #resolve: (result: ReferResult) => void = () => {};
  #timer: NodeJS.Timeout | null = null;

  constructor(options: ReferSubscriptionOptions) {
    this.#options = options;
    this.result = new Promise((resolve) => {
      this.#resolve = resolve;
    });
  }

  get isAccepted(): boolean {
    return this.#state === 'accepted';
  }

  get isOver(): boolean {
    return this.#state === 'over';
  }

  /** @param isUnsubscribed RFC 4488: no NOTIFY will come */
  onAnswer(sipStatus: number, isUnsubscribed: boolean): void {
    if (this.#state === 'over') return;
    if (sipStatus >= 300) this.#settle({ type: 'refused', sipStatus });
    else if (isUnsubscribed) this.#settle({ type: 'transferred', sipStatus: null });
    else this.#accepted();
  }

  /** The REFER was not answered, or not sent. */
  onUnanswered(): void {
    // A NOTIFY has told that it arrived: only its answer is lost.
    if (this.#state === 'sent') this.#settle({ type: 'refused', sipStatus: null });
  }

  onNotify(notify: SrfMessage): void {
    if (this.#state === 'over') return;
    const sipStatus = sipfragStatus(notify);
    if (sipStatus !== null && sipStatus >= 200) {
      this.#settle({ type: sipStatus < 300 ? 'transferred' : 'failed', sipStatus });
    } else if (isTerminated(notify)) {
      this.#settle({ type: 'failed', sipStatus: null });
    } else {
      this.#accepted();
      if (sipStatus !== null) this.#options.onProgress(sipStatus);
    }
  }

  /** The dialog is over. */
  onLegEnded(): void {
    if (this.#state === 'accepted') this.#settle({ type: 'transferred', sipStatus: null });
    else this.#settle({ type: 'refused', sipStatus: null });
  }

  #accepted(): void {
    const isNews = this.#state === 'sent';
    this.#state = 'accepted';
    this.#awaitNews();
    if (isNews) this.#options.onProgress(202);
  }

  #awaitNews(): void {
    if (this.#timer !== null) clearTimeout(this.#timer);
    this.#timer = setTimeout(() => {
      this.#settle({ type: 'failed', sipStatus: null });
    }, this.#options.newsMs);
  }

  #settle(result: ReferResult): void {
    if (this.#state === 'over') return;
    this.#state = 'over';
    if (this.#timer !== null) clearTimeout(this.#timer);
    this.#resolve(result);
  }
}
