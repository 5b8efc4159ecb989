import type { AudioFrame, AudioSource } from '../model/audio.ts';
import type { RtpParameters } from '../model/media.ts';
import { type AudioDecoder, FRAME_MS, FRAMES_PER_SECOND } from './codec/audio-codec.ts';
import { TelephoneEventReceiver } from './dtmf/telephone-event-receiver.ts';
import { JitterBuffer } from './jitter-buffer.ts';
import { Resampler } from './resampler.ts';
import type { RtpHeader } from './rtp/rtp-packet.ts';

/** Longest packet is 120 ms; with what was left over that is 7 frames. */
const FIFO_FRAMES = 8;
/** Frames of a stall that are made up for, and how many on one tick. */
const OWED_FRAMES_MAX = 32;
const CATCH_UP_FRAMES = 4;
/** Without packets to make it up from, the clock jumps after this many ticks. */
const OWED_TICKS_MAX = 10;
/** Frames that a burst may be heard ahead of real time. */
const AHEAD_FRAMES_MAX = 100;

/** Heard at once, a burst is given in portions; so many frames, then more on the next tick. */
const AT_ONCE_FRAMES_MAX = 4;
/** Ticks after a stall of ours in which its packets are read before any is missed. */
const STALL_GRACE_TICKS = 2;
/** Frames that are made up for a gap; beyond, the clock jumps. */
const MADE_UP_FRAMES_MAX = 4;

/** A frame below this level (RMS) may be dropped to shorten the delay without being missed. */
const QUIET_RMS = 250;

/**
 * The way in: packets → jitter buffer → decoder → one 20 ms frame per tick, always in the rate
 * the leg began with. Lost frames are concealed, pauses delivered as silence.
 */
export class Hearing implements AudioSource {
  readonly sampleRateHz: number;
  readonly #frame: { samples: Int16Array; readonly sampleRateHz: number };
  readonly #silence: Int16Array;
  readonly #fifo: Int16Array;
  #fifoLength = 0;
  #decoder: AudioDecoder;
  #clockRateHz: number;
  #jitter: JitterBuffer;
  #events: TelephoneEventReceiver;
  #parameters: RtpParameters;
  #resampler: Resampler | null = null;
  #ssrc = -1;
  #frames = 0;
  /** Frames that a stall of this thread left out, while their packets wait to be read. */
  #owedFrames = 0;
  #owedTicks = 0;
  /** Frames of a burst that were given before their time; quiet ones are left out for them. */
  #aheadFrames = 0;
  #isAtOnce = false;
  /** Heard at once: ticks less frames, that is how long the next packet has been awaited. */
  #behindTicks = 0;
  #graceTicks = 0;
  #isDry = true;
  #hasRtpEvents = false;
  readonly #frameListeners: ((frame: AudioFrame, mediaTimeMs: number) => void)[] = [];
  readonly #digitListeners: ((digit: string) => void)[] = [];

  framesConcealed = 0;
  #lateBefore = 0;
  #duplicateBefore = 0;

  constructor(decoder: AudioDecoder, clockRateHz: number, parameters: RtpParameters) {
    this.sampleRateHz = decoder.sampleRateHz;
    const frameSamples = this.sampleRateHz / FRAMES_PER_SECOND;
    this.#silence = new Int16Array(frameSamples);
    this.#frame = { samples: this.#silence, sampleRateHz: this.sampleRateHz };
    this.#fifo = new Int16Array(frameSamples * FIFO_FRAMES);
    this.#decoder = decoder;
    this.#clockRateHz = clockRateHz;
    this.#parameters = parameters;
    this.#jitter = new JitterBuffer(clockRateHz / FRAMES_PER_SECOND);
    this.#events = new TelephoneEventReceiver(parameters.telephoneEventClockRateHz, clockRateHz);
  }

  get lateCount(): number {
    return this.#lateBefore + this.#jitter.lateCount;
  }

  get duplicateCount(): number {
    return this.#duplicateBefore + this.#jitter.duplicateCount;
  }

  onFrame(listener: (frame: AudioFrame, mediaTimeMs: number) => void): void {
    this.#frameListeners.push(listener);
  }

  onDigit(listener: (digit: string) => void): void {
    this.#digitListeners.push(listener);
  }

  hearAtOnce(isWanted: boolean): void {
    this.#isAtOnce = isWanted;
    this.#jitter.setPaced(!isWanted);
    this.#behindTicks = 0;
    this.#owedFrames = 0;
    this.#aheadFrames = 0;
  }

  /** A digit that came by SIP INFO; a phone that sends both ways is heard once, by RTP. */
  injectDigit(digit: string): void {
    if (!this.#hasRtpEvents) this.#digit(digit);
  }

  /** A re-INVITE: another codec, or other payload types. */
  update(decoder: AudioDecoder, clockRateHz: number, parameters: RtpParameters): void {
    this.#parameters = parameters;
    this.#events = new TelephoneEventReceiver(parameters.telephoneEventClockRateHz, clockRateHz);
    if (decoder === this.#decoder) return;
    this.#decoder = decoder;
    this.#lateBefore += this.#jitter.lateCount;
    this.#duplicateBefore += this.#jitter.duplicateCount;
    this.#clockRateHz = clockRateHz;
    this.#jitter = new JitterBuffer(clockRateHz / FRAMES_PER_SECOND);
    this.#jitter.setPaced(!this.#isAtOnce);
    const isSameRate = decoder.sampleRateHz === this.sampleRateHz;
    this.#resampler = isSameRate ? null : new Resampler(decoder.sampleRateHz, this.sampleRateHz);
    this.#fifoLength = 0;
  }

  isExpected(payloadType: number): boolean {
    const parameters = this.#parameters;
    return (
      payloadType === parameters.payloadType ||
      payloadType === parameters.telephoneEventPayloadType ||
      payloadType === parameters.comfortNoisePayloadType
    );
  }

  /** A packet that passed the latch and is of an expected payload type. */
  onPacket(header: RtpHeader, packet: Buffer): void {
    const { payloadType, sequenceNumber, rtpTimestamp, payloadStart, payloadEnd } = header;
    if (header.ssrc !== this.#ssrc) this.#followSource(header.ssrc);
    if (payloadType === this.#parameters.payloadType) {
      this.#jitter.push(sequenceNumber, rtpTimestamp, packet, payloadStart, payloadEnd);
      return;
    }
    this.#jitter.pushSilent(sequenceNumber);
    if (payloadType !== this.#parameters.telephoneEventPayloadType) return;
    this.#hasRtpEvents = true;
    const digit = this.#events.onPacket(
      packet,
      payloadStart,
      payloadEnd,
      rtpTimestamp,
      header.marker,
    );
    if (digit !== null) this.#digit(digit);
  }

  /**
   * Delivers the frame of this tick. Packets of a stall, ours or the network's, come all at
   * once: their frames follow as fast as four a tick, since whoever listens can hear faster
   * than real time, and speech that is dropped cannot be understood. What does not come after
   * a stall of ours is skipped, and the media clock jumps with real time.
   */
  tick(missed: number): void {
    if (this.#isAtOnce) return this.#tickAtOnce(missed);
    if (missed > 0) this.#owe(missed);
    this.#deliverNext();
    if (this.#owedFrames > 0) this.#catchUp();
    else if (this.#jitter.isOverfull) this.#hearAhead();
  }

  /** `hearArrived` has something to give. */
  get hasArrived(): boolean {
    return this.#isAtOnce && this.#jitter.hasNext;
  }

  /** Gives what came since, in order, up to the first packet that is missing. */
  hearArrived(): void {
    if (this.#isDry && this.hasArrived) {
      this.#isDry = false;
      this.#behindTicks = 0;
    }
    for (let given = 0; given < AT_ONCE_FRAMES_MAX && this.hasArrived; ) {
      given += this.#deliverArrived();
    }
  }

  /** Misses a packet only when it has been awaited for as many ticks as the delay would be. */
  #tickAtOnce(missed: number): void {
    this.#behindTicks += 1 + missed;
    this.hearArrived();
    if (missed > 0) this.#graceTicks = STALL_GRACE_TICKS;
    else this.#graceTicks = Math.max(0, this.#graceTicks - 1);
    if (this.#graceTicks > 0) return;
    const behind = this.#behindTicks - this.#jitter.targetDepth;
    if (behind > MADE_UP_FRAMES_MAX) {
      this.#frames += behind - MADE_UP_FRAMES_MAX;
      this.#behindTicks -= behind - MADE_UP_FRAMES_MAX;
    }
    while (this.#behindTicks > this.#jitter.targetDepth) {
      this.#behindTicks -= 1;
      this.#deliverNext();
    }
    this.hearArrived();
  }

  /** One packet; returns how many frames it completed. */
  #deliverArrived(): number {
    const pcm = this.#nextPcm();
    const frameSamples = this.#silence.length;
    let given = 0;
    if (this.#fifoLength === 0 && pcm.length === frameSamples) {
      this.#deliver(pcm);
      given = 1;
    } else {
      this.#append(pcm);
      for (; this.#fifoLength >= frameSamples; given += 1) this.#deliverFromFifo();
    }
    this.#behindTicks = Math.max(-this.#jitter.targetDepth, this.#behindTicks - given);
    return given;
  }

  #owe(missed: number): void {
    const owed = Math.min(OWED_FRAMES_MAX, this.#owedFrames + missed);
    this.#frames += this.#owedFrames + missed - owed;
    this.#owedFrames = owed;
    this.#owedTicks = 0;
  }

  #catchUp(): void {
    for (let count = 0; count < CATCH_UP_FRAMES && this.#owedFrames > 0; count += 1) {
      if (!this.#isWaiting) break;
      this.#owedFrames -= 1;
      this.#owedTicks = 0;
      this.#deliverNext();
    }
    this.#owedTicks += 1;
    if (this.#owedTicks <= OWED_TICKS_MAX) return;
    this.#frames += this.#owedFrames;
    this.#owedFrames = 0;
  }

  #hearAhead(): void {
    for (let count = 0; count < CATCH_UP_FRAMES && this.#isWaiting; count += 1) {
      if (this.#aheadFrames >= AHEAD_FRAMES_MAX) return;
      this.#aheadFrames += 1;
      this.#deliverNext();
    }
  }

  /** More packets are here than the delay needs. */
  get #isWaiting(): boolean {
    return this.#jitter.depth > this.#jitter.targetDepth;
  }

  #deliverNext(): void {
    const frameSamples = this.#silence.length;
    if (this.#fifoLength === 0) {
      const pcm = this.#nextPcm();
      if (pcm.length === frameSamples) return this.#deliver(pcm);
      this.#append(pcm);
    }
    while (this.#fifoLength < frameSamples) this.#append(this.#nextPcm());
    this.#deliverFromFifo();
  }

  #deliverFromFifo(): void {
    const frameSamples = this.#silence.length;
    this.#deliver(this.#fifo.subarray(0, frameSamples));
    this.#fifo.copyWithin(0, frameSamples, this.#fifoLength);
    this.#fifoLength -= frameSamples;
  }

  /** A frame of silence: we told the other side not to send. */
  tickSilence(missed: number): void {
    this.#frames += missed + this.#owedFrames;
    this.#owedFrames = 0;
    this.#deliver(this.#silence);
  }

  #followSource(ssrc: number): void {
    if (this.#ssrc !== -1) this.#jitter.restart();
    this.#ssrc = ssrc;
    const { telephoneEventClockRateHz } = this.#parameters;
    this.#events = new TelephoneEventReceiver(telephoneEventClockRateHz, this.#clockRateHz);
  }

  #nextPcm(): Int16Array {
    for (;;) {
      const popped = this.#jitter.pop();
      this.#isDry = popped === 'waiting';
      if (popped === 'silence' || popped === 'waiting') return this.#silence;
      if (popped === 'lost') return this.#atLegRate(this.#conceal());
      const pcm = this.#decode();
      const isLate = this.#jitter.excess > 0 && this.#owedFrames === 0;
      const isFull = this.#jitter.isOverfull && this.#aheadFrames >= AHEAD_FRAMES_MAX;
      const canDrop = isLate && (isFull || isQuiet(pcm));
      if (!canDrop) return this.#atLegRate(pcm);
      this.#jitter.excess -= 1;
    }
  }

  #decode(): Int16Array {
    const { packet, payloadStart, payloadEnd } = this.#jitter;
    const pcm = this.#decoder.decode(packet, payloadStart, payloadEnd);
    if (pcm === null || pcm.length === 0) return this.#conceal();
    this.#jitter.advance((pcm.length * this.#clockRateHz) / this.#decoder.sampleRateHz);
    return pcm;
  }

  #conceal(): Int16Array {
    this.framesConcealed += 1;
    const hasNext = this.#jitter.peekNext();
    const { packet, payloadStart, payloadEnd } = this.#jitter;
    return this.#decoder.conceal(hasNext ? packet : null, payloadStart, payloadEnd);
  }

  #atLegRate(pcm: Int16Array): Int16Array {
    return this.#resampler === null ? pcm : this.#resampler.process(pcm);
  }

  #append(pcm: Int16Array): void {
    const room = this.#fifo.length - this.#fifoLength;
    const taken = pcm.length > room ? pcm.subarray(0, room) : pcm;
    this.#fifo.set(taken, this.#fifoLength);
    this.#fifoLength += taken.length;
  }

  #deliver(samples: Int16Array): void {
    if (this.#aheadFrames > 0 && isQuiet(samples)) {
      this.#aheadFrames -= 1;
      return;
    }
    const mediaTimeMs = this.#frames * FRAME_MS;
    this.#frames += 1;
    this.#frame.samples = samples;
    for (const listener of this.#frameListeners) listener(this.#frame, mediaTimeMs);
  }

  #digit(digit: string): void {
    for (const listener of this.#digitListeners) listener(digit);
  }
}

function isQuiet(pcm: Int16Array): boolean {
  let energy = 0;
  for (let index = 0; index < pcm.length; index += 1) energy += pcm[index]! * pcm[index]!;
  return energy < QUIET_RMS * QUIET_RMS * pcm.length;
}
