import { sequenceDistance, timestampDistance } from './rtp/rtp-packet.ts';

/** A burst of 2.5 s is kept whole. */
const SLOTS = 128;
const TARGET_MIN = 1;
const TARGET_MAX = 4;
const TARGET_START = 2;
/** Frames made up when the buffer runs dry, before it turns to silence. */
const CONCEAL_MAX = 3;
/** Calm stretch after which the delay is cut by one packet: 5 s. */
const CALM_POPS = 250;
/** Deeper than this means a burst after a stall: shorten without waiting for a quiet moment. */
const DEPTH_MAX = 10;
/** Behind by more than this is a new stream, not a late packet. */
const LATE_MAX = 256;
/** A timestamp gap up to this is the sender's silence; beyond it, the sender's clock jumped. */
const GAP_FRAMES_MAX = 50;

const EMPTY = 0;
const AUDIO = 1;
const SILENT = 2;

/** `packet`: see the fields; `lost`: conceal one frame; `silence`, `waiting`: a frame of silence. */
export type Popped = 'packet' | 'lost' | 'silence' | 'waiting';

/**
 * Reorders packets and gives back one per frame time. It owns no clock: `push` when a packet
 * comes, `pop` when the player needs sound. Neither allocates.
 *
 * The delay adapts: running dry and then getting the very packet that was missing makes it
 * deeper by one (up to 4); five seconds in which at least one packet was always left make it
 * shallower by one. Who plays drops a frame for each `excess`, best in a quiet moment.
 */
export class JitterBuffer {
  readonly #kinds = new Uint8Array(SLOTS);
  readonly #sequences = new Int32Array(SLOTS).fill(-1);
  readonly #timestamps = new Float64Array(SLOTS);
  readonly #packets: (Buffer | null)[] = Array.from({ length: SLOTS }, () => null);
  readonly #starts = new Uint16Array(SLOTS);
  readonly #ends = new Uint16Array(SLOTS);
  readonly #frameTicks: number;

  #nextSequence = -1;
  #depth = 0;
  #isPlaying = false;
  #hasPlayed = false;
  #target = TARGET_START;
  /** Frames concealed while dry: a packet proven lost later was already made up for. */
  #owed = 0;
  #dryPops = 0;
  /** Pops since a lone packet began to wait for company. */
  #fillPops = 0;
  #wasSilent = true;
  #expectedTimestamp = -1;
  #calmPops = 0;
  #depthMin = SLOTS;
  #isPaced = true;

  /** The packet of the last `pop`. */
  packet: Buffer = Buffer.alloc(0);
  payloadStart = 0;
  payloadEnd = 0;

  lateCount = 0;
  duplicateCount = 0;
  /** Frames by which the delay is longer than needed. */
  excess = 0;

  /** `frameTicks`: RTP clock units in 20 ms. */
  constructor(frameTicks: number) {
    this.#frameTicks = frameTicks;
  }

  get depth(): number {
    return this.#depth;
  }

  get targetDepth(): number {
    return this.#target;
  }

  /** True when so much is waiting that dropping cannot be put off to a quiet moment. */
  get isOverfull(): boolean {
    return this.#depth > DEPTH_MAX;
  }

  /**
   * Paced, packets wait for company before the first is given, so that the next is there on
   * time. Not paced, each is given as soon as it is next.
   */
  setPaced(isPaced: boolean): void {
    if (isPaced && !this.#isPaced) {
      this.#isPlaying = false;
      this.#wasSilent = true;
    }
    this.#isPaced = isPaced;
  }

  /** The packet that follows the last one is here. */
  get hasNext(): boolean {
    return this.#depth > 0 && this.#isHere(this.#nextSequence);
  }

  push(sequence: number, rtpTimestamp: number, packet: Buffer, start: number, end: number): void {
    if (!this.#admit(sequence)) return;
    const slot = sequence & (SLOTS - 1);
    this.#kinds[slot] = AUDIO;
    this.#sequences[slot] = sequence;
    this.#timestamps[slot] = rtpTimestamp;
    this.#packets[slot] = packet;
    this.#starts[slot] = start;
    this.#ends[slot] = end;
    this.#depth += 1;
  }

  /** A packet that takes a sequence number and has no sound: a telephone event, comfort noise. */
  pushSilent(sequence: number): void {
    if (!this.#admit(sequence)) return;
    const slot = sequence & (SLOTS - 1);
    this.#kinds[slot] = SILENT;
    this.#sequences[slot] = sequence;
    this.#depth += 1;
  }

  pop(): Popped {
    if (!this.#isPlaying && !this.#mayStart()) return this.#dry();
    if (this.#depth === 0) {
      this.#isPlaying = false;
      return this.#dry();
    }
    this.#isPlaying = true;
    this.#hasPlayed = true;
    this.#dryPops = 0;
    return this.#take();
  }

  /** How long the popped packet played, in RTP clock units, so that a gap can be told. */
  advance(ticks: number): void {
    this.#expectedTimestamp = (this.#expectedTimestamp + ticks) >>> 0;
  }

  /** The packet after a lost one, if it is here: Opus may carry a copy of the lost frame in it. */
  peekNext(): boolean {
    const slot = this.#nextSequence & (SLOTS - 1);
    if (this.#kinds[slot] !== AUDIO || this.#sequences[slot] !== this.#nextSequence) return false;
    this.packet = this.#packets[slot]!;
    this.payloadStart = this.#starts[slot]!;
    this.payloadEnd = this.#ends[slot]!;
    return true;
  }

  /** Another stream follows (new SSRC, new codec): what waits is dropped, the delay stays. */
  restart(): void {
    this.#kinds.fill(EMPTY);
    this.#sequences.fill(-1);
    this.#packets.fill(null);
    this.#depth = 0;
    this.#nextSequence = -1;
    this.#isPlaying = false;
    this.#hasPlayed = false;
    this.#owed = 0;
    this.#expectedTimestamp = -1;
    this.excess = 0;
    this.#startCalm();
  }

  #admit(sequence: number): boolean {
    if (this.#nextSequence === -1) this.#nextSequence = sequence;
    const ahead = sequenceDistance(this.#nextSequence, sequence);
    if (ahead >= SLOTS || ahead <= -LATE_MAX) {
      this.restart();
      this.#nextSequence = sequence;
      return true;
    }
    const isKnown = this.#sequences[sequence & (SLOTS - 1)] === sequence;
    if (isKnown) {
      this.duplicateCount += 1;
      return false;
    }
    if (ahead >= 0) return true;
    if (!this.#hasPlayed && this.#depth - ahead < SLOTS) {
      this.#nextSequence = sequence;
      return true;
    }
    this.lateCount += 1;
    this.#deepen();
    return false;
  }

  /** A short dry spell goes on with the next packet; a pause fills the buffer again first. */
  #mayStart(): boolean {
    if (this.#depth === 0) return false;
    const isShortSpell = this.#hasPlayed && this.#dryPops <= CONCEAL_MAX && !this.#wasSilent;
    if (isShortSpell) {
      const isTheMissing = this.#isHere(this.#nextSequence);
      if (isTheMissing && this.#dryPops > 0) {
        this.#deepen();
        this.#owed = 0;
      }
      return true;
    }
    this.#owed = 0;
    this.#expectedTimestamp = -1;
    if (!this.#isPaced) return true;
    // A last lone packet must not wait for company for ever.
    if (this.#depth >= this.#target) return true;
    this.#fillPops += 1;
    if (this.#fillPops <= this.#target) return false;
    this.#fillPops = 0;
    return true;
  }

  #dry(): Popped {
    this.#startCalm();
    if (!this.#hasPlayed || this.#wasSilent) return 'waiting';
    this.#dryPops += 1;
    if (this.#dryPops > CONCEAL_MAX) {
      this.#wasSilent = true;
      this.#owed = 0;
      return 'waiting';
    }
    this.#owed += 1;
    return 'lost';
  }

  #take(): Popped {
    while (!this.#isHere(this.#nextSequence)) {
      this.#nextSequence = (this.#nextSequence + 1) & 0xffff;
      if (this.#expectedTimestamp !== -1) this.advance(this.#frameTicks);
      if (this.#owed === 0) return 'lost';
      this.#owed -= 1;
    }
    this.#owed = 0;
    const slot = this.#nextSequence & (SLOTS - 1);
    if (this.#kinds[slot] === SILENT) {
      this.#leave(slot);
      this.#wasSilent = true;
      this.#expectedTimestamp = -1;
      return 'silence';
    }
    const timestamp = this.#timestamps[slot]!;
    if (this.#isGapBefore(timestamp)) {
      this.advance(this.#frameTicks);
      return 'silence';
    }
    this.packet = this.#packets[slot]!;
    this.payloadStart = this.#starts[slot]!;
    this.payloadEnd = this.#ends[slot]!;
    this.#leave(slot);
    this.#expectedTimestamp = timestamp;
    this.#wasSilent = false;
    this.#watchDepth();
    return 'packet';
  }

  #isHere(sequence: number): boolean {
    const slot = sequence & (SLOTS - 1);
    return this.#kinds[slot] !== EMPTY && this.#sequences[slot] === sequence;
  }

  #isGapBefore(timestamp: number): boolean {
    if (this.#expectedTimestamp === -1) return false;
    const gap = timestampDistance(this.#expectedTimestamp, timestamp);
    return gap >= this.#frameTicks && gap <= this.#frameTicks * GAP_FRAMES_MAX;
  }

  /** The sequence number stays in the slot, so that a duplicate is told from a late packet. */
  #leave(slot: number): void {
    this.#kinds[slot] = EMPTY;
    this.#packets[slot] = null;
    this.#depth -= 1;
    this.#nextSequence = (this.#nextSequence + 1) & 0xffff;
  }

  #deepen(): void {
    this.#target = Math.min(TARGET_MAX, this.#target + 1);
    this.#startCalm();
  }

  #watchDepth(): void {
    if (this.#depth < this.#depthMin) this.#depthMin = this.#depth;
    this.#calmPops += 1;
    if (this.#depth > DEPTH_MAX) this.excess = Math.max(this.excess, this.#depth - this.#target);
    if (this.#calmPops < CALM_POPS) return;
    if (this.#depthMin >= 1) {
      this.#target = Math.max(TARGET_MIN, this.#target - 1);
      this.excess = Math.max(1, this.#depthMin - 1);
    }
    this.#startCalm();
  }

  #startCalm(): void {
    this.#calmPops = 0;
    this.#depthMin = SLOTS;
  }
}
