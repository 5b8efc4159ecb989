import { assertNever } from '../../lib/assert-never.ts';
import type { Logger } from '../../observability/logger.ts';
import type { CallRecord } from '../../model/call.ts';
import type { EndReason } from '../../model/end-reason.ts';
import { asLegId } from '../../model/ids.ts';
import type { TransferFailure } from '../../model/transfer.ts';
import type { SipLeg } from '../../signaling/sip-leg.ts';
import type { TrunkService } from '../../signaling/trunk/trunk-service.ts';
import type { VoiceLeg, VoiceLegEvents } from '../../voice/voice-leg.ts';
import type { VoicePool } from '../../voice/voice-pool.ts';
import type { BrowserLines } from '../call-requests.ts';
import { type CalledBrowser, CalledBrowserParty } from '../called-browser-party.ts';
import { OutboundParty, type OutboundTarget } from '../outbound-party.ts';
import type { MeteredLeg } from '../call-gate.ts';
import type { CallDesk, Party, PartyEnd } from '../party.ts';

/** Whom a caller is put through to: a number by the trunks, or somebody at their browsers. */
export type Callee =
  | { readonly type: 'number'; readonly target: OutboundTarget }
  | { readonly type: 'browser'; readonly browser: CalledBrowser };

export interface SecondLegOptions {
  readonly record: CallRecord;
  /** Tells the second legs of a call apart. */
  readonly number: number;
  /** The caller's leg: the second lives in the same worker. */
  readonly beside: VoiceLeg;
  readonly callee: Callee;
  readonly trunks: Pick<TrunkService, 'dial'>;
  readonly browsers: Pick<BrowserLines, 'dial'>;
  readonly pool: Pick<VoicePool, 'openLegBeside' | 'openWebLegBeside' | 'codecs'>;
  readonly meter: MeteredLeg;
  /** Unix time. */
  readonly nowMs: () => number;
  readonly log: Logger;
  readonly onRinging: () => void;
  /** It is heard before it is answered: a tone or an announcement of the network's. */
  readonly onEarlyMedia: (voice: VoiceLeg) => void;
  /** It was answered, and is over now. At most once, and not after `hangUp`. */
  readonly onEnded: () => void;
}

/** What became of a call to whom the caller is to be put through to. */
export type SecondLegResult =
  | { readonly type: 'answered'; readonly voice: VoiceLeg; readonly sip: SipLeg | null }
  | {
      readonly type: 'ended';
      readonly failure: TransferFailure;
      readonly sipStatus: number | null;
    };

/** The one that a caller is put through to: called by a trunk or at a browser, heard by no agent. */
export class SecondLeg {
  readonly #options: SecondLegOptions;
  readonly #party: Party;
  #state: 'dialing' | 'answered' | 'over' = 'dialing';
  #voice: VoiceLeg | null = null;
  #settle: (result: SecondLegResult) => void = () => {};

  constructor(options: SecondLegOptions) {
    this.#options = options;
    this.#party = partyOf(options);
  }

  get isOver(): boolean {
    return this.#state === 'over';
  }

  /** Call once. Never rejects. */
  dial(): Promise<SecondLegResult> {
    return new Promise((resolve) => {
      this.#settle = resolve;
      this.#party.join(this.#desk()).catch((error: unknown) => {
        this.#options.log.warn({ err: error }, 'a second leg could not be called');
        this.#end('internal-error', null);
      });
    });
  }

  /** CANCEL or BYE; resolves when everything is released. Idempotent, never rejects. */
  async hangUp(reason: EndReason): Promise<void> {
    this.#state = 'over';
    this.#options.meter.ended(this.#options.nowMs());
    this.#settle({ type: 'ended', failure: 'abandoned', sipStatus: null });
    await Promise.all([this.#party.leave(reason), this.#voice?.close(reason)]);
  }

  #desk(): CallDesk {
    const { record, number, log, onRinging, onEarlyMedia } = this.#options;
    const isOver = () => this.isOver;
    return {
      record,
      legId: asLegId(`${this.#options.beside.legId}_${number}`),
      log,
      get isEnding() {
        return isOver();
      },
      isConversing: false,
      voiceEvents: this.#voiceEvents(),
      holdVoice: (voice) => this.#holdVoice(voice),
      dialing: () => {},
      ringing: onRinging,
      hearsEarlyMedia: true,
      earlyMedia: () => {
        if (this.#state === 'dialing' && this.#voice !== null) onEarlyMedia(this.#voice);
      },
      answered: () => this.#options.meter.answered(this.#options.nowMs()),
      converse: () => this.#onAnswered(),
      // Whom we call may not send the caller on.
      referred: (refer) => refer.refuse(603),
      end: (reason, end) => this.#end(reason, end),
    };
  }

  async #holdVoice(voice: VoiceLeg): Promise<boolean> {
    if (this.isOver) {
      await voice.close('caller-canceled');
      return false;
    }
    this.#voice = voice;
    return true;
  }

  #onAnswered(): void {
    if (this.#state !== 'dialing' || this.#voice === null) return;
    this.#state = 'answered';
    this.#settle({ type: 'answered', voice: this.#voice, sip: this.#party.dialog?.leg ?? null });
  }

  #end(reason: EndReason, end: PartyEnd | null): void {
    if (this.isOver) return;
    const wasAnswered = this.#state === 'answered';
    const failure = failureOf(reason);
    this.#settle({ type: 'ended', failure, sipStatus: end?.sipStatus ?? null });
    void this.hangUp(reason);
    if (wasAnswered) this.#options.onEnded();
  }

  #voiceEvents(): VoiceLegEvents {
    return {
      onConnected: () => {},
      onTurn: () => {},
      onCaption: () => {},
      onCalleeKnown: () => {},
      onActivity: () => {},
      onNote: () => {},
      onTransferWanted: (_, failed) => failed('this leg has no agent'),
      onToolWanted: () => Promise.resolve({ error: 'this leg has no agent' }),
      onDigitsWanted: (digits) => void this.#party.dialog?.sendDigits(digits, this.#options.log),
      onConversationEnded: (reason) => this.#end(reason, null),
      onLost: () => {
        this.#voice = null;
        this.#end('worker-crashed', null);
      },
    };
  }
}

/** Its media lives in the worker of the caller's. */
function partyOf({ callee, beside: { legId: beside }, trunks, browsers, pool }: SecondLegOptions) {
  switch (callee.type) {
    case 'number':
      return new OutboundParty(callee.target, trunks, {
        get codecs() {
          return pool.codecs;
        },
        openLeg: (...leg) => pool.openLegBeside(beside, ...leg),
      });
    case 'browser':
      return new CalledBrowserParty(callee.browser, browsers.dial, {
        openWebLeg: (...leg) => pool.openWebLegBeside(beside, ...leg),
      });
    default:
      return assertNever(callee);
  }
}

function failureOf(reason: EndReason): TransferFailure {
  switch (reason) {
    case 'callee-busy':
      return 'busy';
    case 'no-answer':
      return 'no-answer';
    case 'callee-refused':
      return 'refused';
    default:
      return 'unavailable';
  }
}

/** For the agent, who tells it in its own words. */
export function failureText(failure: TransferFailure): string {
  switch (failure) {
    case 'busy':
      return 'the line is busy';
    case 'no-answer':
      return 'nobody answered';
    case 'refused':
      return 'the call was not taken';
    case 'unavailable':
      return 'they cannot be reached now';
    case 'no-news':
      return 'it is not known whether anybody answered';
    case 'spend-cap-reached':
    case 'quota-exceeded':
    case 'workspace-busy':
      return 'no more such calls may be made for now';
    case 'abandoned':
      return 'the call is over';
    default:
      return assertNever(failure);
  }
}
