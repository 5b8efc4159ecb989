import type { RtpParameters } from '../model/media.ts';
import { type AudioEncoder, FRAMES_PER_SECOND } from './codec/audio-codec.ts';
import { checkDigits, DigitSender, PAUSE_MS, TONE_MS } from './dtmf/digit-sender.ts';
import { dtmfTone } from './dtmf/dtmf-tones.ts';
import { encodeClip } from './encode-clip.ts';
import type { Playout } from './playout.ts';
import type { RtpSender } from './rtp/rtp-sender.ts';

/** In a pause with DTX, one frame of silence is sent this often: 400 ms, as libopus does. */
const DTX_REFRESH_TICKS = 20;

/** Sends one packet to the far side. */
export type SendPacket = (packet: Buffer) => void;

/**
 * The way out: decides on every tick what is sent. A digit goes before speech, speech before
 * silence. The RTP clock advances one frame per tick, whatever is sent.
 */
export class Talker {
  readonly #sender: RtpSender;
  readonly #send: SendPacket;
  readonly #digits = new DigitSender();
  #parameters: RtpParameters;
  #encoder: AudioEncoder;
  #frameTicks: number;
  #toneFrames: readonly Uint8Array[] = [];
  #toneAt = 0;
  #toneWaiters: (() => void)[] = [];
  #isTalking = false;
  #silentTicks = 0;

  constructor(
    sender: RtpSender,
    send: SendPacket,
    encoder: AudioEncoder,
    clockRateHz: number,
    parameters: RtpParameters,
  ) {
    this.#sender = sender;
    this.#send = send;
    this.#encoder = encoder;
    this.#frameTicks = clockRateHz / FRAMES_PER_SECOND;
    this.#parameters = parameters;
  }

  /** Speech or a digit was sent on the last tick. */
  get isTalking(): boolean {
    return this.#isTalking;
  }

  update(encoder: AudioEncoder, clockRateHz: number, parameters: RtpParameters): void {
    this.#encoder = encoder;
    this.#frameTicks = clockRateHz / FRAMES_PER_SECOND;
    this.#parameters = parameters;
  }

  /** `clipEncoder` makes the tones where telephone-event was not negotiated. */
  sendDigits(digits: string, clipEncoder: AudioEncoder): Promise<void> {
    if (this.#parameters.telephoneEventPayloadType !== null) return this.#digits.send(digits);
    const waitingFrames = this.#toneFrames.length - this.#toneAt;
    checkDigits(digits, Math.ceil((waitingFrames * 20) / (TONE_MS + PAUSE_MS)));
    if (digits.length === 0) return Promise.resolve();
    const frames = digits.split('').flatMap((digit) => {
      const sampleRateHz = clipEncoder.sampleRateHz;
      const samples = dtmfTone(digit, sampleRateHz, TONE_MS, PAUSE_MS);
      return encodeClip(clipEncoder, { samples, sampleRateHz }).frames;
    });
    this.#toneFrames = [...this.#toneFrames.slice(this.#toneAt), ...frames];
    this.#toneAt = 0;
    return new Promise((resolve) => this.#toneWaiters.push(resolve));
  }

  /** One tick while we may send. */
  tick(playout: Playout, missed: number): void {
    if (missed > 0) this.#sender.advance(missed * this.#frameTicks);
    if (this.#digits.isActive) this.#tickDigit(playout);
    else this.#tickAudio(playout);
    this.#sender.advance(this.#frameTicks);
  }

  /** One tick on hold: the clock runs, nothing is sent, the queue waits. */
  tickOnHold(missed: number): void {
    this.#sender.advance((missed + 1) * this.#frameTicks);
    this.#isTalking = false;
  }

  close(): void {
    this.#digits.close();
    this.#toneFrames = [];
    this.#wakeToneWaiters();
  }

  #tickDigit(playout: Playout): void {
    const { telephoneEventPayloadType, telephoneEventClockRateHz } = this.#parameters;
    const digits = this.#digits;
    digits.next(this.#sender.rtpTimestamp, telephoneEventClockRateHz / FRAMES_PER_SECOND);
    playout.interrupted();
    this.#isTalking = true;
    if (digits.isPause || telephoneEventPayloadType === null) return;
    const { payload, hasMarker, rtpTimestamp } = digits;
    this.#send(this.#sender.packet(telephoneEventPayloadType, payload, hasMarker, rtpTimestamp));
  }

  #tickAudio(playout: Playout): void {
    const payload = this.#nextTone(playout) ?? playout.takeFrame();
    if (payload !== null) {
      // RFC 3551 §4.1: the marker tells the first packet after a pause.
      this.#sendAudio(payload, !this.#isTalking);
      this.#isTalking = true;
      this.#silentTicks = 0;
      return;
    }
    this.#isTalking = false;
    const isQuietLegal = this.#parameters.codec === 'opus' && this.#parameters.opusUseDtx;
    if (!isQuietLegal || this.#silentTicks % DTX_REFRESH_TICKS === 0) {
      this.#sendAudio(this.#encoder.silence, false);
    }
    this.#silentTicks += 1;
  }

  #sendAudio(payload: Uint8Array, hasMarker: boolean): void {
    const { payloadType } = this.#parameters;
    const packet = this.#sender.packet(payloadType, payload, hasMarker, this.#sender.rtpTimestamp);
    this.#send(packet);
  }

  #nextTone(playout: Playout): Uint8Array | null {
    const frame = this.#toneFrames[this.#toneAt];
    if (frame === undefined) return null;
    playout.interrupted();
    this.#toneAt += 1;
    if (this.#toneAt === this.#toneFrames.length) {
      this.#toneFrames = [];
      this.#toneAt = 0;
      this.#wakeToneWaiters();
    }
    return frame;
  }

  #wakeToneWaiters(): void {
    const waiters = this.#toneWaiters;
    this.#toneWaiters = [];
    for (const wake of waiters) wake();
  }
}
