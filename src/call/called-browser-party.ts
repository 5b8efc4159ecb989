import type { EndReason } from '../model/end-reason.ts';
import type { DialRequest, DialResult } from '../signaling/outbound-dial.ts';
import type { Binding } from '../signaling/registrar.ts';
import type { SipSignaling } from '../signaling/sip-engine-client.ts';
import type { VoicePool } from '../voice/voice-pool.ts';
import type { CallDesk, Party } from './party.ts';
import { WebDialog } from './web-dialog.ts';

/** Whom to call, at all of their browsers, and what the agent shall know. */
export interface CalledBrowser {
  readonly bindings: readonly Binding[];
  /** Shown as the caller. */
  readonly from: DialRequest['from'];
  readonly variables: Readonly<Record<string, string>>;
}

const NO_OFFER = { sipStatus: 200, detail: null };
const RING_MS = 45_000;
/** The more an end says about the person called, the earlier it stands. */
const TELLING: readonly (EndReason | null)[] = ['callee-busy', 'callee-refused', 'no-answer'];

/**
 * A person whose browsers are registered. All of them ring; the first to answer is spoken to. The
 * INVITE carries no offer, since the browser's comes with its 200 and the answer goes in our ACK
 * (RFC 3264 §4): so media is taken for one browser only.
 */
export class CalledBrowserParty implements Party {
  readonly variables: Readonly<Record<string, string>>;
  readonly #callee: CalledBrowser;
  readonly #dial: SipSignaling['dial'];
  readonly #pool: Pick<VoicePool, 'openWebLeg'>;
  readonly #dialog = new WebDialog();
  readonly #cancel = new AbortController();
  #dialing: Promise<unknown> = Promise.resolve();
  #hasAnswer = false;

  constructor(
    callee: CalledBrowser,
    dial: SipSignaling['dial'],
    pool: Pick<VoicePool, 'openWebLeg'>,
  ) {
    this.variables = callee.variables;
    this.#callee = callee;
    this.#dial = dial;
    this.#pool = pool;
  }

  async join(desk: CallDesk): Promise<void> {
    const cancels = this.#callee.bindings.map(() => new AbortController());
    const calls = this.#callee.bindings.map((binding, at) => {
      const cancel = cancels[at] ?? new AbortController();
      const onTaken = () => {
        for (const other of cancels) if (other !== cancel) other.abort();
      };
      return this.#ring(desk, binding, cancel.signal, onTaken);
    });
    const dialing = Promise.all(calls);
    this.#dialing = dialing.catch(() => {});
    const results = await dialing;
    const answered = results.find((result) => result.type === 'answered');
    if (answered?.type === 'answered') {
      this.#dialog.leg = answered.leg;
      // A 200 without an offer is no browser's.
      if (this.#dialog.voice === null) desk.end('no-common-codec', NO_OFFER);
      if (desk.isEnding) await answered.leg.hangUp();
      return;
    }
    const ends = results.flatMap((result) => (result.type === 'ended' ? [result] : []));
    const rank = (reason: EndReason | null) => TELLING.indexOf(reason) + 1 || TELLING.length + 1;
    const [end] = ends.toSorted((a, b) => rank(a.reason) - rank(b.reason));
    // Without a reason it was ours: the call has ended already.
    const { reason = null, sipStatus = null, detail = null } = end ?? {};
    desk.end(reason ?? 'internal-error', { sipStatus, detail });
  }

  /** Nobody waits for a status. */
  refuse(): null {
    return null;
  }

  /** CANCEL while it rings, BYE once it was answered. */
  async leave(reason: EndReason): Promise<void> {
    this.#cancel.abort();
    await this.#dialing;
    await this.#dialog.hangUp(reason);
  }

  #ring(
    desk: CallDesk,
    { uri, nextHop }: Binding,
    signal: AbortSignal,
    onTaken: () => void,
  ): Promise<DialResult> {
    return this.#dial(
      {
        uri,
        proxy: nextHop,
        from: this.#callee.from,
        offerSdp: null,
        timeoutMs: RING_MS,
        signal: AbortSignal.any([signal, this.#cancel.signal]),
      },
      {
        ...this.#dialog.events(desk),
        onProgress: ({ sipStatus }) => desk.ringing(sipStatus),
        onLateOffer: (offerSdp) => {
          // Two picked up in one moment: the first it is.
          if (this.#hasAnswer || desk.isEnding) return Promise.resolve(null);
          this.#hasAnswer = true;
          onTaken();
          return this.#answer(desk, offerSdp);
        },
      },
    );
  }

  async #answer(desk: CallDesk, offerSdp: string): Promise<string | null> {
    const voice = await this.#pool.openWebLeg(desk.record.id, desk.legId, offerSdp, {
      ...desk.voiceEvents,
      onConnected: () => this.#dialog.onConnected(desk),
    });
    return (await desk.holdVoice(voice)) ? this.#dialog.begin(voice) : null;
  }
}
