import type { DialEvents, DialProgress } from '../../src/signaling/outbound-dial.ts';
import type { OfferReply, SipLegEnd } from '../../src/signaling/sip-leg.ts';
import type { InboundRefer } from '../../src/signaling/transfer/refer.ts';

/** Values that come one by one; each is given to one of those who wait for the next. */
export class Inbox<T> {
  readonly all: T[] = [];
  readonly #untaken: T[] = [];
  readonly #waiting: ((value: T) => void)[] = [];

  put(value: T): void {
    this.all.push(value);
    const take = this.#waiting.shift();
    if (take === undefined) this.#untaken.push(value);
    else take(value);
  }

  next(): Promise<T> {
    if (this.#untaken.length > 0) return Promise.resolve(this.#untaken.shift() as T);
    return new Promise((resolve) => {
      this.#waiting.push(resolve);
    });
  }
}

/** An owner of a leg that writes down what it is told. */
export class LegOwner implements DialEvents {
  readonly ends = new Inbox<SipLegEnd>();
  readonly answers = new Inbox<string>();
  readonly offers = new Inbox<string>();
  readonly digits = new Inbox<string>();
  readonly progress = new Inbox<DialProgress>();
  /** REFERs are declined until it is set. */
  onRefer: (refer: InboundRefer) => void = (refer) => refer.refuse(603);
  readonly #makeOffer: () => string;
  /** What it says to an offer in mid-call. */
  reply: (offerSdp: string) => Promise<OfferReply>;

  constructor(makeOffer: () => string, reply: (offerSdp: string) => Promise<OfferReply>) {
    this.#makeOffer = makeOffer;
    this.reply = reply;
  }

  onEnded(end: SipLegEnd): void {
    this.ends.put(end);
  }

  onRemoteAnswer(sdp: string): void {
    this.answers.put(sdp);
  }

  onRemoteOffer(sdp: string): Promise<OfferReply> {
    this.offers.put(sdp);
    return this.reply(sdp);
  }

  makeOffer(): string {
    return this.#makeOffer();
  }

  onDigit(digit: string): void {
    this.digits.put(digit);
  }

  onProgress(progress: DialProgress): void {
    this.progress.put(progress);
  }
}
