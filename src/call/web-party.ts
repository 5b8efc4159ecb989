import { createHash, timingSafeEqual } from 'node:crypto';
import { randomText } from '../lib/random-id.ts';
import type { WebVoiceLeg } from '../voice/voice-leg.ts';
import type { VoicePool } from '../voice/voice-pool.ts';
import type { CallDesk, Party } from './party.ts';
import type { RefusalReason } from './refusal-status.ts';

/** What became of a browser's offer. */
export type WebAnswer =
  | { readonly accepted: true; readonly answerSdp: string; readonly resumeToken: string }
  | { readonly accepted: false; readonly reason: RefusalReason };

/**
 * A caller who came by a WebRTC offer. The call is answered once media is connected, since
 * nobody hears anything before; a browser that never connects costs no call.
 */
export class WebParty implements Party {
  /** Settles once: with the answer, or with why there is none. Never rejects. */
  readonly answer: Promise<WebAnswer>;
  readonly #offerSdp: string;
  readonly #pool: Pick<VoicePool, 'openWebLeg'>;
  /** Whoever has it may carry the call on from another network. */
  readonly #resumeToken = randomText(32);
  #settle: (answer: WebAnswer) => void = () => {};
  #voice: WebVoiceLeg | null = null;
  #hasMet = false;

  constructor(offerSdp: string, pool: Pick<VoicePool, 'openWebLeg'>) {
    this.#offerSdp = offerSdp;
    this.#pool = pool;
    this.answer = new Promise((resolve) => {
      this.#settle = resolve;
    });
  }

  async join(desk: CallDesk): Promise<void> {
    const { record, legId, voiceEvents } = desk;
    const voice = await this.#pool.openWebLeg(record.id, legId, this.#offerSdp, {
      ...voiceEvents,
      onConnected: () => this.#onConnected(desk),
    });
    if (!(await desk.holdVoice(voice))) return;
    this.#voice = voice;
    const { answerSdp } = voice;
    this.#settle({ accepted: true, answerSdp, resumeToken: this.#resumeToken });
  }

  refuse(reason: RefusalReason): null {
    this.#settle({ accepted: false, reason });
    return null;
  }

  /** The worker has told the browser already; this is for one that still waits for an answer. */
  async leave(): Promise<void> {
    this.#settle({ accepted: false, reason: 'operator-hung-up' });
  }

  /** Answers a new offer of the same browser; null for a wrong token, or an offer of no use. */
  async resume(resumeToken: string, offerSdp: string): Promise<string | null> {
    if (!isSame(resumeToken, this.#resumeToken)) return null;
    return (await this.#voice?.resume(offerSdp)) ?? null;
  }

  #onConnected(desk: CallDesk): void {
    if (this.#hasMet || desk.isEnding) return;
    this.#hasMet = true;
    desk.answered();
    desk.converse();
  }
}

function isSame(given: string, expected: string): boolean {
  const digest = (text: string) => createHash('sha256').update(text).digest();
  return timingSafeEqual(digest(given), digest(expected));
}
