import { randomInt } from 'node:crypto';
import type { AudioSink, AudioSource } from '../../model/audio.ts';
import type { LegReport, RtpParameters } from '../../model/media.ts';
import type { CodecPair, CodecSet } from '../codec/codec-set.ts';
import { complexityFor, ENCODE_PER_TICK } from '../encode-effort.ts';
import { Hearing } from '../hearing.ts';
import { MediaError } from '../media-error.ts';
import type { Seat } from '../phase-wheel.ts';
import { Playout } from '../playout.ts';
import { ReceptionStatistics } from '../rtp/reception-statistics.ts';
import { RtcpSession } from '../rtp/rtcp-session.ts';
import { emptyRtpHeader, parseRtpPacket } from '../rtp/rtp-packet.ts';
import { RtpSender } from '../rtp/rtp-sender.ts';
import { Talker } from '../talker.ts';
import type { Ticker } from '../ticker.ts';
import { newWebRtcSender } from './peer-transport.ts';
import { isSameConnection, parseWebRtcOffer, type WebRtcOffer } from './webrtc-offer.ts';
import type { WebRtcPort } from './webrtc-port.ts';
import type { WebRtcCloseReason, WebRtcTransport } from './webrtc-transport.ts';

/** A browser that lost its network has so long to come back with a new offer. */
const RESUME_WITHIN_MS = 10_000;

export interface WebRtcLegOptions {
  readonly port: WebRtcPort;
  readonly codecs: CodecSet;
  readonly ticker: Ticker;
  /** Default 10 s. */
  readonly resumeWithinMs?: number;
  /** Errors of listeners, which end nothing. */
  readonly onError: (error: unknown) => void;
  /** Packets pass both ways: also after each resumption. */
  readonly onConnected: () => void;
  /** The browser's events channel is open, also after each resumption. */
  readonly onMessagesOpen: () => void;
  readonly onMessage: (text: string) => void;
  /** Once, and not after `close()`. */
  readonly onClosed: (reason: WebRtcCloseReason) => void;
}

/**
 * The media of one browser: what `RtpLeg` is for a phone, over a `WebRtcTransport`.
 *
 * A browser whose network changed makes a new peer connection and offers again (`resume`). Both
 * transports then live side by side until the new one works; meanwhile what waits to be said
 * waits, and the media clock goes on.
 */
export class WebRtcLeg {
  readonly #options: WebRtcLegOptions;
  readonly #codec: CodecPair;
  readonly #identity = newWebRtcSender();
  readonly #sender = new RtpSender(this.#identity.ssrc, randomInt(0x10000), randomInt(0xffffffff));
  readonly #rtcp = new RtcpSession(this.#identity.ssrc, this.#identity.cname);
  readonly #statistics: ReceptionStatistics;
  readonly #header = emptyRtpHeader();
  readonly #hearing: Hearing;
  readonly #playout: Playout;
  readonly #talker: Talker;
  readonly #senderSeat: Seat;
  readonly #workerSeat: Seat;
  /** The one in use, and one that is still connecting. */
  #transport: WebRtcTransport | null = null;
  #next: WebRtcTransport | null = null;
  #parameters: RtpParameters;
  #resumeTimer: NodeJS.Timeout | null = null;
  #leadMs = 0;
  #malformed = 0;
  #isClosed = false;

  private constructor(options: WebRtcLegOptions, codec: CodecPair, offerSdp: string) {
    this.#options = options;
    this.#codec = codec;
    this.#transport = this.#accept(offerSdp);
    this.#parameters = parametersOf(this.#transport.offer);
    const { encoder, decoder, clockRateHz } = codec;
    const { codecs, ticker } = options;
    this.#statistics = new ReceptionStatistics(clockRateHz);
    this.#hearing = new Hearing(decoder, clockRateHz, this.#parameters);
    const talker = new Talker(this.#sender, this.#send, encoder, clockRateHz, this.#parameters);
    this.#talker = talker;
    this.#playout = new Playout({
      encoder,
      clipEncoder: codecs.clipEncoder('opus'),
      onReady: this.#hurry,
      sendDigits: (digits) => talker.sendDigits(digits, codecs.clipEncoder('opus')),
    });
    this.#senderSeat = ticker.addSender(this.#tickSend);
    this.#workerSeat = ticker.addWorker(this.#tickWork, this.#senderSeat);
  }

  /** Rejects with what `WebRtcPort.accept` throws, or `MEDIA_CODEC_UNAVAILABLE`. */
  static async accept(offerSdp: string, options: WebRtcLegOptions): Promise<WebRtcLeg> {
    const codec = await options.codecs.createPair('opus');
    try {
      return new WebRtcLeg(options, codec, offerSdp);
    } catch (error) {
      closeCodec(codec);
      throw error;
    }
  }

  /** Answer to the last offer. */
  get answerSdp(): string {
    return (this.#next ?? this.#transport)?.answerSdp ?? '';
  }

  /** What the browser says, at 16 kHz. One object for the leg's life. */
  get source(): AudioSource {
    return this.#hearing;
  }

  /** What the browser hears. One object for the leg's life. */
  get sink(): AudioSink {
    return this.#playout;
  }

  get isConnected(): boolean {
    return this.#transport?.isConnected ?? false;
  }

  /** What the browser wants is silence: neither side is heard, or only it could be. */
  get isOnHold(): boolean {
    const { direction } = this.#parameters;
    return direction === 'recvonly' || direction === 'inactive';
  }

  /** A digit that came another way than by RTP. */
  injectDigit(digit: string): void {
    this.#hearing.injectDigit(digit);
  }

  /**
   * Takes a new offer of the same browser and returns the answer: of the connection it has, which
   * may be held by it, or of a new one that takes its place. Throws what `WebRtcPort.accept`
   * throws, or `MEDIA_LEG_CLOSED`; the leg goes on as it was then.
   */
  resume(offerSdp: string): string {
    if (this.#isClosed) throw new MediaError('MEDIA_LEG_CLOSED', 'the leg is closed');
    const offer = parseWebRtcOffer(offerSdp, 'further');
    const same = [this.#next, this.#transport].find(
      (known) => known !== null && isSameConnection(known.offer, offer),
    );
    if (same !== undefined && same !== null) return this.#answerAgain(same, offer);
    const next = this.#accept(offerSdp);
    this.#next?.close();
    this.#next = next;
    return next.answerSdp;
  }

  /** Sends on the browser's events channel. False: it was dropped. */
  sendMessage(text: string): boolean {
    return this.#transport?.sendMessage(text) ?? false;
  }

  report(): LegReport {
    const refused = this.#transport?.refused;
    const packetsDuplicate = this.#hearing.duplicateCount;
    return {
      codec: 'opus',
      encryption: 'DTLS_SRTP',
      packetsSent: this.#sender.packetsSent,
      packetsReceived: this.#statistics.received,
      packetsLost: Math.max(0, this.#statistics.lost + packetsDuplicate),
      packetsLate: this.#hearing.lateCount,
      packetsDuplicate,
      packetsFromStrangers: 0,
      packetsMalformed:
        this.#malformed + (refused?.packetsMalformed ?? 0) + (refused?.packetsOverRate ?? 0),
      packetsUnauthenticated: 0,
      packetsReplayed: 0,
      framesConcealed: this.#hearing.framesConcealed,
      jitterMs: this.#statistics.jitterMs,
      roundTripMs: this.#rtcp.roundTripMs,
      remoteFractionLost: this.#rtcp.remoteFractionLost,
    };
  }

  /** Says BYE by RTCP, closes the transports and returns the last report. Idempotent. */
  close(): LegReport {
    const report = this.report();
    if (this.#isClosed) return report;
    this.#isClosed = true;
    if (this.#resumeTimer !== null) clearTimeout(this.#resumeTimer);
    const { ticker } = this.#options;
    ticker.remove(this.#senderSeat);
    ticker.remove(this.#workerSeat);
    if (this.#sender.packetsSent > 0) this.#sendRtcp(performance.now(), true);
    this.#next?.close();
    this.#transport?.close();
    this.#talker.close();
    this.#playout.close();
    closeCodec(this.#codec);
    return report;
  }

  #accept(offerSdp: string): WebRtcTransport {
    const { port, onMessagesOpen, onMessage } = this.#options;
    const transport = port.accept(
      offerSdp,
      {
        onConnected: () => this.#onConnected(transport),
        onRtp: (packet) => this.#onRtp(packet),
        onRtcp: (compound) => this.#onRtcp(compound),
        onMessagesOpen,
        onMessage: (text) => this.#guard(() => onMessage(text)),
        onClosed: (reason) => this.#onTransportClosed(transport, reason),
      },
      this.#identity,
    );
    return transport;
  }

  #onConnected(transport: WebRtcTransport): void {
    if (transport === this.#next) this.#changeOver(transport);
    this.#guard(this.#options.onConnected);
  }

  #answerAgain(transport: WebRtcTransport, offer: WebRtcOffer): string {
    const answerSdp = transport.answerAgain(offer);
    if (transport === this.#transport) this.#follow(offer);
    return answerSdp;
  }

  /** Payload types and direction may differ; the streams go on. */
  #follow(offer: WebRtcOffer): void {
    const { decoder, encoder, clockRateHz } = this.#codec;
    this.#parameters = parametersOf(offer);
    this.#hearing.update(decoder, clockRateHz, this.#parameters);
    this.#talker.update(encoder, clockRateHz, this.#parameters);
  }

  /** The new transport works. */
  #changeOver(transport: WebRtcTransport): void {
    const old = this.#transport;
    this.#transport = transport;
    this.#next = null;
    if (this.#resumeTimer !== null) clearTimeout(this.#resumeTimer);
    this.#resumeTimer = null;
    old?.close();
    this.#follow(transport.offer);
  }

  #onTransportClosed(transport: WebRtcTransport, reason: WebRtcCloseReason): void {
    if (this.#isClosed) return;
    if (transport === this.#next) {
      this.#next = null;
      // The old one may still work; else there is nothing left to wait for.
      if (this.#transport === null && this.#resumeTimer === null) this.#end(reason);
      return;
    }
    if (transport !== this.#transport) return;
    this.#transport = null;
    // The browser may close its old connection before the new one works.
    if (this.#next !== null) return;
    if (reason !== 'network-lost') return this.#end(reason);
    const withinMs = this.#options.resumeWithinMs ?? RESUME_WITHIN_MS;
    this.#resumeTimer = setTimeout(() => this.#giveUpResuming(), withinMs);
  }

  #giveUpResuming(): void {
    this.#resumeTimer = null;
    // One that is connecting right now has its own time limit.
    if (this.#next === null) this.#end('network-lost');
  }

  #end(reason: WebRtcCloseReason): void {
    this.close();
    this.#guard(() => this.#options.onClosed(reason));
  }

  #onRtp(packet: Buffer): void {
    if (this.#isClosed) return;
    const header = this.#header;
    if (!parseRtpPacket(packet, header) || !this.#hearing.isExpected(header.payloadType)) {
      this.#malformed += 1;
      return;
    }
    const { ssrc, sequenceNumber, rtpTimestamp } = header;
    this.#statistics.onPacket(ssrc, sequenceNumber, rtpTimestamp, performance.now());
    this.#guard(() => this.#hearing.onPacket(header, packet));
    if (this.#hearing.hasArrived && !this.#isUnheard) this.#options.ticker.whenFree(this.#hear);
  }

  readonly #hear = (): void => {
    if (!this.#isClosed) this.#guard(() => this.#hearing.hearArrived());
  };

  #onRtcp(compound: Buffer): void {
    const isValid = this.#rtcp.onCompound(compound, performance.now(), Date.now());
    if (!isValid) this.#malformed += 1;
  }

  readonly #tickSend = (nowMs: number, missed: number): void => {
    if (this.#maySend()) this.#talker.tick(this.#playout, missed);
    else this.#talker.tickOnHold(missed);
    if (this.#leadMs > 0 && !this.#talker.isTalking) {
      // An utterance began ahead of its tick; the pause after it pays that time back.
      this.#options.ticker.delay(this.#senderSeat, this.#leadMs);
      this.#leadMs = 0;
    }
    if (this.isConnected && this.#rtcp.isReportDue(nowMs)) this.#sendRtcp(nowMs, false);
  };

  readonly #tickWork = (_nowMs: number, missed: number): void => {
    this.#codec.encoder.setComplexity(complexityFor(this.#options.ticker.load));
    this.#guard(() => {
      if (this.#isUnheard) this.#hearing.tickSilence(missed);
      else this.#hearing.tick(missed);
      if (!this.#isClosed) this.#playout.encodeAhead(ENCODE_PER_TICK);
    });
  };

  get #isUnheard(): boolean {
    const { direction } = this.#parameters;
    return direction === 'sendonly' || direction === 'inactive';
  }

  #maySend(): boolean {
    return this.isConnected && !this.isOnHold;
  }

  /** The first frame of an utterance does not wait for the leg's own tick. */
  readonly #hurry = (): void => {
    if (this.#talker.isTalking || !this.#maySend()) return;
    this.#leadMs += this.#options.ticker.hurry(this.#senderSeat);
  };

  readonly #send = (packet: Buffer): void => {
    this.#transport?.sendPacket(packet);
  };

  #sendRtcp(nowMs: number, isLast: boolean): void {
    const { packetsSent, octetsSent, rtpTimestamp } = this.#sender;
    const sent = { packetsSent, octetsSent, rtpTimestamp };
    this.#send(this.#rtcp.makeReport(nowMs, Date.now(), sent, this.#statistics, isLast));
  }

  /** A listener's mistake must cost neither the worker nor the other legs. */
  #guard(work: () => void): void {
    try {
      work();
    } catch (error) {
      this.#options.onError(error);
    }
  }
}

/** Browsers play a gap after a silent frame as silence, so pauses are never sent to them. */
function parametersOf(offer: WebRtcOffer): RtpParameters {
  const limit = offer.opusMaxBitrateBps;
  return {
    codec: 'opus',
    payloadType: offer.opusPayloadType,
    ptimeMs: 20,
    telephoneEventPayloadType: offer.telephoneEventPayloadType,
    telephoneEventClockRateHz: offer.telephoneEventClockRateHz,
    comfortNoisePayloadType: null,
    opusUseDtx: true,
    opusUseFec: offer.opusUseFec,
    ...(limit === null ? {} : { opusMaxBitrateBps: limit }),
    // The transport knows where to.
    remoteAddress: '',
    remotePort: 0,
    rtcpMux: true,
    remoteRtcpPort: 0,
    direction: offer.direction,
    srtp: null,
  };
}

function closeCodec({ encoder, decoder }: CodecPair): void {
  encoder.close();
  decoder.close();
}
