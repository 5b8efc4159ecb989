import { randomInt } from 'node:crypto';
import type { RemoteInfo, Socket } from 'node:dgram';
import type { AudioSink, AudioSource } from '../model/audio.ts';
import type { LegReport, LocalMediaAddress, RtpParameters } from '../model/media.ts';
import type { AudioEncoder } from './codec/audio-codec.ts';
import type { CodecPair, CodecSet } from './codec/codec-set.ts';
import { complexityFor, ENCODE_PER_TICK } from './encode-effort.ts';
import { Hearing } from './hearing.ts';
import { MediaError } from './media-error.ts';
import { packetKind } from './packet-kind.ts';
import type { Seat } from './phase-wheel.ts';
import { Playout } from './playout.ts';
import type { PortPair } from './port-pool.ts';
import { ReceptionStatistics } from './rtp/reception-statistics.ts';
import { RtcpSession } from './rtp/rtcp-session.ts';
import { emptyRtpHeader, parseRtpPacket } from './rtp/rtp-packet.ts';
import { RtpSender } from './rtp/rtp-sender.ts';
import { type Expectation, RtpTimeout } from './rtp/rtp-timeout.ts';
import { SourceLatch } from './source-latch.ts';
import { checkSrtpKeys } from './srtp/session-keys.ts';
import { SrtpSession } from './srtp/srtp-session.ts';
import { Talker } from './talker.ts';
import type { Ticker } from './ticker.ts';

export interface RtpLegOptions {
  readonly ports: PortPair;
  readonly local: LocalMediaAddress;
  readonly codecs: CodecSet;
  readonly ticker: Ticker;
  readonly cname: string;
  readonly rtpTimeoutMs: number;
  /** See `SourceLatch`. */
  readonly hasStrictSources: boolean;
  readonly release: (leg: RtpLeg) => void;
  readonly onError: (error: unknown) => void;
}

/** Everything that begins with the first `update`. */
interface Media {
  parameters: RtpParameters;
  codec: CodecPair;
  readonly hearing: Hearing;
  readonly playout: Playout;
  readonly talker: Talker;
  readonly senderSeat: Seat;
  readonly workerSeat: Seat;
}

const RANDOM_MAX = 0xffffffff;
/** In the lower half, so that SRTP's rollover cannot be missed in the first packets (RFC 4568 §6.4). */
const FIRST_SEQUENCE_MAX = 0x8000;
/** A header and the sender's SSRC. */
const RTCP_BYTES_MIN = 8;

/** The media of one remote party over RTP: one port pair, one stream each way. */
export class RtpLeg {
  readonly local: LocalMediaAddress;
  readonly #options: RtpLegOptions;
  readonly #latch: SourceLatch;
  readonly #header = emptyRtpHeader();
  readonly #sender = new RtpSender(randomUint32(), randomInt(FIRST_SEQUENCE_MAX), randomUint32());
  readonly #rtcp: RtcpSession;
  readonly #timeout: RtpTimeout;
  readonly #timeoutListeners: (() => void)[] = [];
  #statistics = new ReceptionStatistics(8000);
  #media: Media | null = null;
  /** Kept when a later answer goes back to plain RTP: its keys may come again. */
  #srtp: SrtpSession | null = null;
  #isSecure = false;
  #updates: Promise<void> = Promise.resolve();
  #leadMs = 0;
  #malformed = 0;
  #carryDigits: ((digits: string) => Promise<void>) | null = null;
  #isClosed = false;

  constructor(options: RtpLegOptions) {
    this.#options = options;
    this.#latch = new SourceLatch({ isStrict: options.hasStrictSources });
    this.local = options.local;
    this.#rtcp = new RtcpSession(this.#sender.ssrc, options.cname);
    this.#timeout = new RtpTimeout(options.rtpTimeoutMs, performance.now());
    const { rtp, rtcp } = options.ports;
    rtp.on('message', this.#onRtpPort);
    rtcp.on('message', this.#onRtcpPort);
    // ICMP "port unreachable" of an unconnected socket never comes here; other errors are ours.
    rtp.on('error', options.onError);
    rtcp.on('error', options.onError);
  }

  /** What the party says. Usable once the first `update` resolved; one object for the leg's life. */
  get source(): AudioSource {
    return this.#ready().hearing;
  }

  /** What the party hears. Usable once the first `update` resolved; one object for the leg's life. */
  get sink(): AudioSink {
    return this.#ready().playout;
  }

  /** Called when nothing came from the far side for too long; once per silence. */
  onMediaTimedOut(listener: () => void): void {
    this.#timeoutListeners.push(listener);
  }

  /** Digits to be sent leave by this instead of by RTP. */
  carryDigits(carry: (digits: string) => Promise<void>): void {
    this.#carryDigits = carry;
  }

  /** A digit that came by SIP INFO. */
  injectDigit(digit: string): void {
    this.#media?.hearing.injectDigit(digit);
  }

  /**
   * Sets or changes what offer and answer agreed on; the first call starts media. Calls take
   * effect in order. Rejects with `MEDIA_CODEC_UNAVAILABLE`, `MEDIA_SRTP_KEY_INVALID` or
   * `MEDIA_LEG_CLOSED`, and then nothing has changed.
   */
  update(parameters: RtpParameters): Promise<void> {
    const update = this.#updates.then(() => this.#apply(parameters));
    this.#updates = update.catch(() => {});
    return update;
  }

  report(): LegReport {
    const media = this.#media;
    const statistics = this.#statistics;
    const packetsDuplicate = media?.hearing.duplicateCount ?? 0;
    return {
      codec: media?.parameters.codec ?? null,
      encryption: media?.parameters.srtp?.local.suite ?? null,
      packetsSent: this.#sender.packetsSent,
      packetsReceived: statistics.received,
      packetsLost: Math.max(0, statistics.lost + packetsDuplicate),
      packetsLate: media?.hearing.lateCount ?? 0,
      packetsDuplicate,
      packetsFromStrangers: this.#latch.strangerCount,
      packetsMalformed: this.#malformed,
      packetsUnauthenticated: this.#srtp?.unauthenticatedCount ?? 0,
      packetsReplayed: this.#srtp?.replayedCount ?? 0,
      framesConcealed: media?.hearing.framesConcealed ?? 0,
      jitterMs: statistics.jitterMs,
      roundTripMs: this.#rtcp.roundTripMs,
      remoteFractionLost: this.#rtcp.remoteFractionLost,
    };
  }

  /** Stops media at once, says BYE by RTCP and gives the ports back. Returns the last report. */
  close(): LegReport {
    const report = this.report();
    if (this.#isClosed) return report;
    this.#isClosed = true;
    const media = this.#media;
    if (media !== null) {
      this.#options.ticker.remove(media.senderSeat);
      this.#options.ticker.remove(media.workerSeat);
      if (this.#sender.packetsSent > 0) this.#sendRtcp(media, performance.now(), true);
      media.talker.close();
      media.playout.close();
      media.codec.encoder.close();
      media.codec.decoder.close();
    }
    this.#options.release(this);
    return report;
  }

  #ready(): Media {
    if (this.#media !== null) return this.#media;
    throw new MediaError('MEDIA_LEG_NOT_READY', 'the leg has no codec yet');
  }

  async #apply(parameters: RtpParameters): Promise<void> {
    this.#assertOpen();
    if (parameters.srtp !== null) checkSrtpKeys(parameters.srtp);
    const media = this.#media;
    if (media === null) {
      const codec = await this.#options.codecs.createPair(parameters.codec);
      this.#assertOpen(codec);
      this.#secure(parameters);
      this.#media = this.#start(parameters, codec);
    } else if (media.parameters.codec === parameters.codec) {
      media.hearing.update(media.codec.decoder, media.codec.clockRateHz, parameters);
      media.talker.update(media.codec.encoder, media.codec.clockRateHz, parameters);
      media.parameters = parameters;
    } else {
      await this.#changeCodec(media, parameters);
    }
    this.#secure(parameters);
    const { remoteAddress, remotePort, signalingAddress = null } = parameters;
    this.#latch.signal(remoteAddress, remotePort, signalingAddress);
    this.#timeout.expect(expectationOf(parameters), performance.now());
  }

  #assertOpen(codec?: CodecPair): void {
    if (!this.#isClosed) return;
    codec?.encoder.close();
    codec?.decoder.close();
    throw new MediaError('MEDIA_LEG_CLOSED', 'the leg is closed');
  }

  #secure({ srtp }: RtpParameters): void {
    this.#isSecure = srtp !== null;
    if (srtp === null) return;
    if (this.#srtp === null) this.#srtp = new SrtpSession(srtp);
    else this.#srtp.update(srtp, performance.now());
  }

  #start(parameters: RtpParameters, codec: CodecPair): Media {
    const { codecs, ticker } = this.#options;
    const { encoder, clockRateHz } = codec;
    const talker = new Talker(this.#sender, this.#send, encoder, clockRateHz, parameters);
    const senderSeat = ticker.addSender(this.#tickSend);
    this.#statistics = new ReceptionStatistics(clockRateHz);
    return {
      parameters,
      codec,
      talker,
      hearing: new Hearing(codec.decoder, clockRateHz, parameters),
      playout: new Playout({
        encoder,
        clipEncoder: codecs.clipEncoder(parameters.codec),
        onReady: this.#hurry,
        sendDigits: (digits) =>
          this.#carryDigits?.(digits) ?? talker.sendDigits(digits, this.#clipEncoder()),
      }),
      senderSeat,
      workerSeat: ticker.addWorker(this.#tickWork, senderSeat),
    };
  }

  #clipEncoder(): AudioEncoder {
    return this.#options.codecs.clipEncoder(this.#ready().parameters.codec);
  }

  async #changeCodec(media: Media, parameters: RtpParameters): Promise<void> {
    const { codecs } = this.#options;
    const codec = await codecs.createPair(parameters.codec);
    const transcoder = await codecs.createDecoder(media.parameters.codec);
    this.#assertOpen(codec);
    const old = media.codec;
    media.codec = codec;
    media.parameters = parameters;
    const clipEncoder = codecs.clipEncoder(parameters.codec);
    media.playout.changeEncoder(codec.encoder, clipEncoder, transcoder);
    media.hearing.update(codec.decoder, codec.clockRateHz, parameters);
    media.talker.update(codec.encoder, codec.clockRateHz, parameters);
    this.#statistics.changeClockRate(codec.clockRateHz);
    transcoder.close();
    old.encoder.close();
    old.decoder.close();
  }

  readonly #onRtpPort = (packet: Buffer, from: RemoteInfo): void => {
    const kind = packetKind(packet);
    if (kind === 'rtp') this.#onRtp(packet, from);
    else if (kind === 'rtcp') this.#onRtcp(packet, from);
    else this.#malformed += 1;
  };

  readonly #onRtcpPort = (packet: Buffer, from: RemoteInfo): void => {
    if (packetKind(packet) === 'rtcp') this.#onRtcp(packet, from);
    else this.#malformed += 1;
  };

  #onRtp(packet: Buffer, from: RemoteInfo): void {
    const media = this.#media;
    if (media === null) return;
    const nowMs = performance.now();
    const header = this.#header;
    const srtp = this.#isSecure ? this.#srtp : null;
    const length = srtp === null ? packet.length : srtp.unprotectRtp(packet, nowMs);
    if (length === -1) return;
    const isRead = parseRtpPacket(packet, header, length);
    if (!isRead || !media.hearing.isExpected(header.payloadType)) {
      this.#malformed += 1;
      return;
    }
    const { ssrc, sequenceNumber } = header;
    const { address, port } = from;
    if (srtp !== null) this.#latch.follow(address, port, ssrc, sequenceNumber, nowMs);
    else if (!this.#latch.accept(address, port, ssrc, sequenceNumber, nowMs)) return;
    this.#timeout.onRtp(nowMs);
    this.#statistics.onPacket(ssrc, sequenceNumber, header.rtpTimestamp, nowMs);
    this.#guard(() => media.hearing.onPacket(header, packet));
    if (!media.hearing.hasArrived || !mayTheySend(media.parameters)) return;
    this.#options.ticker.whenFree(this.#hear);
  }

  readonly #hear = (): void => {
    if (this.#media !== null) this.#guard(() => this.#media?.hearing.hearArrived());
  };

  #onRtcp(packet: Buffer, from: RemoteInfo): void {
    if (this.#media === null) return;
    if (packet.length < RTCP_BYTES_MIN) {
      this.#malformed += 1;
      return;
    }
    const nowMs = performance.now();
    const compound = this.#believedRtcp(packet, from, nowMs);
    if (compound === null) return;
    if (this.#rtcp.onCompound(compound, nowMs, Date.now())) this.#timeout.onRtcp(nowMs);
    else this.#malformed += 1;
  }

  /** Null for what comes from a stranger. */
  #believedRtcp(packet: Buffer, { address, port }: RemoteInfo, nowMs: number): Buffer | null {
    if (this.#isSecure && this.#srtp !== null) {
      const length = this.#srtp.unprotectRtcp(packet, nowMs);
      return length === -1 ? null : packet.subarray(0, length);
    }
    return this.#latch.acceptControl(address, port, packet.readUInt32BE(4)) ? packet : null;
  }

  readonly #tickSend = (nowMs: number, missed: number): void => {
    const media = this.#media;
    if (media === null) return;
    if (mayWeSend(media.parameters)) media.talker.tick(media.playout, missed);
    else media.talker.tickOnHold(missed);
    if (this.#leadMs > 0 && !media.talker.isTalking) {
      // An utterance began ahead of its tick; the pause after it pays that time back.
      this.#options.ticker.delay(media.senderSeat, this.#leadMs);
      this.#leadMs = 0;
    }
    if (this.#rtcp.isReportDue(nowMs)) this.#sendRtcp(media, nowMs, false);
  };

  readonly #tickWork = (nowMs: number, missed: number): void => {
    const media = this.#media;
    if (media === null) return;
    media.codec.encoder.setComplexity(complexityFor(this.#options.ticker.load));
    this.#guard(() => {
      if (mayTheySend(media.parameters)) media.hearing.tick(missed);
      else media.hearing.tickSilence(missed);
      media.playout.encodeAhead(ENCODE_PER_TICK);
    });
    if (!this.#isClosed && this.#timeout.check(nowMs)) {
      for (const listener of this.#timeoutListeners) this.#guard(listener);
    }
  };

  /** A listener's mistake must cost neither the worker nor the other legs. */
  #guard(work: () => void): void {
    try {
      work();
    } catch (error) {
      this.#options.onError(error);
    }
  }

  /** The first frame of an utterance does not wait for the leg's own tick. */
  readonly #hurry = (): void => {
    const media = this.#media;
    if (media === null || media.talker.isTalking || !mayWeSend(media.parameters)) return;
    this.#leadMs += this.#options.ticker.hurry(media.senderSeat);
  };

  readonly #send = (packet: Buffer): void => {
    const { address, port } = this.#latch;
    const sent = this.#isSecure && this.#srtp !== null ? this.#srtp.protectRtp(packet) : packet;
    this.#transmit(this.#options.ports.rtp, sent, address, port);
  };

  #sendRtcp(media: Media, nowMs: number, isLast: boolean): void {
    const report = this.#rtcp.makeReport(
      nowMs,
      Date.now(),
      {
        packetsSent: this.#sender.packetsSent,
        octetsSent: this.#sender.octetsSent,
        rtpTimestamp: this.#sender.rtpTimestamp,
      },
      this.#statistics,
      isLast,
    );
    const packet = this.#isSecure && this.#srtp !== null ? this.#srtp.protectRtcp(report) : report;
    const { rtp, rtcp } = this.#options.ports;
    const { rtcpMux, remoteRtcpPort, remotePort } = media.parameters;
    if (rtcpMux) return this.#transmit(rtp, packet, this.#latch.address, this.#latch.port);
    // Behind a NAT the signaled RTCP port is as wrong as the RTP port: take the next one up.
    const isSignaled = this.#latch.port === remotePort;
    const port = isSignaled ? remoteRtcpPort : this.#latch.port + 1;
    this.#transmit(rtcp, packet, this.#latch.address, port);
  }

  #transmit(socket: Socket, packet: Buffer, address: string, port: number): void {
    if (port <= 0 || port > 65535 || address === '' || address === '0.0.0.0') return;
    // What cannot be sent now is lost like any packet.
    socket.send(packet, port, address, ignoreSendError);
  }
}

function ignoreSendError(): void {}

function randomUint32(): number {
  return randomInt(RANDOM_MAX);
}

function mayWeSend({ direction }: RtpParameters): boolean {
  return direction === 'sendrecv' || direction === 'sendonly';
}

function mayTheySend({ direction }: RtpParameters): boolean {
  return direction === 'sendrecv' || direction === 'recvonly';
}

/** A phone that holds us may send music, or nothing: both are right, so neither is awaited. */
function expectationOf(parameters: RtpParameters): Expectation {
  if (parameters.direction !== 'sendrecv') return 'nothing';
  const mayPause = parameters.codec === 'opus' || parameters.comfortNoisePayloadType !== null;
  return mayPause ? 'may-be-silent' : 'audio';
}
