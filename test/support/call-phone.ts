import type { CodecName } from '../../src/model/media.ts';
import type { Pcm } from './audio.ts';
import { callerSays, type CallerVoice } from './test-caller.ts';
import { LossyRelay, type LossyRelayOptions } from './lossy-relay.ts';
import { type PhoneCallOptions, SipPhone, type SipText } from './sip-phone.ts';
import { TestPhone, type TestPhoneOptions } from './test-phone.ts';

export interface CallPhoneOptions {
  readonly codec?: CodecName;
  /** Offer telephone-event? Default true. */
  readonly hasTelephoneEvent?: boolean;
  readonly srtp?: TestPhoneOptions['srtp'];
  /** A bad network between this phone's media and the gateway's. */
  readonly network?: Omit<LossyRelayOptions, 'targetAddress' | 'targetPort'>;
  /** The address and port that it says it has, as a phone behind a NAT does. */
  readonly claims?: string;
}

export interface Dialing extends Omit<PhoneCallOptions, 'sdp' | 'ackBody'> {
  /** Send the INVITE without a description and answer in the ACK. */
  readonly isLateOffer?: boolean;
  /** Instead of the phone's own description. */
  readonly sdp?: string;
}

/** Silence after which the far side is taken to have finished. */
const QUIET_MS = 1000;
/** Generous: an agent on a busy machine may take its time. */
const HEARD_WITHIN_MS = 25_000;
/** A packet louder than this is sound. */
const SOUND_RMS = 200;
const TELEPHONE_RATE_HZ = 8000;

/** A telephone that calls the gateway: signaling, media, and somebody who speaks into it. */
export class CallPhone {
  readonly sip: SipPhone;
  readonly relay: LossyRelay | null;
  #media: TestPhone;
  /** Index of the first arrival that `listenUntilQuiet` has not given out yet. */
  #mark = 0;
  #sdpVersion = 1;
  #isClosed = false;

  private constructor(sip: SipPhone, media: TestPhone, relay: LossyRelay | null) {
    this.sip = sip;
    this.#media = media;
    this.relay = relay;
  }

  static async open(sipPort: number, options: CallPhoneOptions = {}): Promise<CallPhone> {
    const { codec = 'pcmu', hasTelephoneEvent = true, srtp, network } = options;
    const media = await TestPhone.open({ codec, hasTelephoneEvent, srtp });
    const relay =
      network === undefined
        ? null
        : await LossyRelay.open({ ...network, targetAddress: '127.0.0.1', targetPort: 0 });
    return new CallPhone(await SipPhone.open(sipPort, options.claims), media, relay);
  }

  /** The phone's present media side; another one after `moveTo`. */
  get media(): TestPhone {
    return this.#media;
  }

  /** Calls, resolves with the final response, and starts its media when that is a 200. */
  async dial(dialing: Dialing = {}): Promise<SipText> {
    const { isLateOffer = false, sdp, ...rest } = dialing;
    const ackBody = (offer: string): string => {
      this.#connectTo(offer);
      return this.sdp();
    };
    const offered = isLateOffer ? { sdp: '', ackBody } : { sdp: sdp ?? this.sdp() };
    const response = await this.sip.invite({ ...rest, ...offered });
    if (response.status === 200 && !isLateOffer) this.#connectTo(response.body);
    return response;
  }

  /** Calls and insists on an answer. */
  async call(dialing: Dialing = {}): Promise<this> {
    const response = await this.dial(dialing);
    if (response.status !== 200) throw new Error(`refused: ${response.startLine}`);
    return this;
  }

  /** This phone's description, newer with each asking (RFC 3264 §8). */
  sdp(direction = 'sendrecv', edit: (sdp: string) => string = (text) => text): string {
    const version = this.#sdpVersion;
    this.#sdpVersion += 1;
    const text = this.#media.sdp(direction).replace(/^(o=phone \d+) 1 /m, `$1 ${version} `);
    const port = this.relay?.gatewaySidePort ?? this.#media.port;
    return edit(text.replace(/^m=audio \d+/m, `m=audio ${port}`));
  }

  /** Offers another description in mid-call; resolves with the final response. */
  reoffer(direction = 'sendrecv', edit?: (sdp: string) => string): Promise<SipText> {
    return this.sip.reinvite(this.sdp(direction, edit));
  }

  /**
   * Goes on with another media side (port, perhaps codec) by a re-INVITE. The old one falls
   * silent at once and is closed.
   */
  async moveTo(codec: CodecName): Promise<SipText> {
    const old = this.#media;
    this.#media = await TestPhone.open({ codec });
    old.mute();
    const response = await this.sip.reinvite(this.sdp());
    if (response.status === 200) this.#connectTo(response.body);
    this.#mark = 0;
    old.close();
    return response;
  }

  /** Speaks as on a telephone line; resolves when the last packet was sent. */
  say(text: string, voice?: CallerVoice): Promise<void> {
    return this.play(callerSays(text, voice));
  }

  /** Sends 8 kHz samples in the codec's rate. */
  play(samples8k: Int16Array): Promise<void> {
    const { sampleRateHz } = this.#media.codec;
    return this.#media.say({ samples: fromTelephoneRate(samples8k, sampleRateHz), sampleRateHz });
  }

  press(digit: string): Promise<void> {
    return this.#media.press(digit);
  }

  /** A key as SIP INFO (`application/dtmf-relay`). */
  pressByInfo(digit: string): Promise<SipText> {
    const body = `Signal=${digit}\r\nDuration=160\r\n`;
    return this.sip.request('INFO', body, 'application/dtmf-relay');
  }

  /** Resolves when some sound has come that `listenUntilQuiet` has not given out yet. */
  untilSound(): Promise<void> {
    return this.#media.waitFor(() => this.#lastSound() >= 0, HEARD_WITHIN_MS);
  }

  /** Waits for sound and for its end, and gives what was heard since the last asking, at 8 kHz. */
  async listenUntilQuiet(quietMs = QUIET_MS): Promise<Int16Array> {
    await this.untilSound();
    await this.#media.waitFor(() => this.#quietMs() >= quietMs, HEARD_WITHIN_MS);
    return this.heardPcm8k();
  }

  /** What has come since the last asking, at 8 kHz; perhaps nothing. */
  heardPcm8k(): Int16Array {
    const { arrivals, codec } = this.#media;
    const audio = arrivals.filter(({ payloadType }) => payloadType === codec.payloadType);
    const since = arrivals
      .slice(this.#mark)
      .find(({ payloadType }) => payloadType === codec.payloadType);
    this.#mark = arrivals.length;
    const first = audio[0];
    if (since === undefined || first === undefined) return new Int16Array(0);
    const ticks = (since.rtpTimestamp - first.rtpTimestamp) | 0;
    const start = Math.round((ticks / codec.frameTicks) * (TELEPHONE_RATE_HZ / 50));
    return this.recordedPcm8k().slice(Math.max(0, start));
  }

  /** All that the present media side has heard, at 8 kHz. */
  recordedPcm8k(): Int16Array {
    return toTelephoneRate(this.#media.recording());
  }

  /** BYE; resolves with its answer. */
  hangUp(): Promise<SipText> {
    return this.sip.bye();
  }

  close(): void {
    if (this.#isClosed) return;
    this.#isClosed = true;
    this.#media.close();
    this.relay?.close();
    this.sip.close();
  }

  #connectTo(sdp: string): void {
    const port = Number(/^m=audio (\d+)/m.exec(sdp)?.[1]);
    if (this.relay === null) return this.#media.connectTo(sdp);
    this.relay.pointTo('127.0.0.1', port);
    this.#media.start('127.0.0.1', this.relay.port);
  }

  #lastSound(): number {
    const at = this.#media.arrivals.findLastIndex(({ rms }) => rms > SOUND_RMS);
    return at >= this.#mark ? at : -1;
  }

  #quietMs(): number {
    const { arrivals, codec } = this.#media;
    const [last, loud] = [arrivals.at(-1), arrivals[this.#lastSound()]];
    if (last === undefined || loud === undefined) return 0;
    return (((last.rtpTimestamp - loud.rtpTimestamp) | 0) / codec.frameTicks) * 20;
  }
}

/** 8 kHz samples at a multiple of that rate, by a windowed sinc. */
export function fromTelephoneRate(samples: Int16Array, sampleRateHz: number): Int16Array {
  const factor = sampleRateHz / TELEPHONE_RATE_HZ;
  if (factor === 1) return samples;
  const out = new Int16Array(samples.length * factor);
  for (let n = 0; n < out.length; n += 1) {
    let sum = 0;
    const center = n / factor;
    for (let k = Math.ceil(center) - REACH; k <= Math.floor(center) + REACH; k += 1) {
      sum += (samples[k] ?? 0) * kernel(center - k);
    }
    out[n] = clamped(sum);
  }
  return out;
}

/** Samples of a multiple of 8 kHz at 8 kHz; what lies above the new band is taken away first. */
export function toTelephoneRate({ samples, sampleRateHz }: Pcm): Int16Array {
  const factor = sampleRateHz / TELEPHONE_RATE_HZ;
  if (factor === 1) return samples;
  const out = new Int16Array(Math.floor(samples.length / factor));
  for (let n = 0; n < out.length; n += 1) {
    let sum = 0;
    for (let k = factor * (n - REACH); k <= factor * (n + REACH); k += 1) {
      sum += ((samples[k] ?? 0) * kernel(n - k / factor)) / factor;
    }
    out[n] = clamped(sum);
  }
  return out;
}

function clamped(sample: number): number {
  return Math.max(-32_768, Math.min(32_767, Math.round(sample)));
}

const REACH = 12;

/** Hann-windowed sinc, in samples of the lower rate. */
function kernel(x: number): number {
  if (Math.abs(x) >= REACH) return 0;
  const sinc = x === 0 ? 1 : Math.sin(Math.PI * x) / (Math.PI * x);
  return sinc * (0.5 + 0.5 * Math.cos((Math.PI * x) / REACH));
}
