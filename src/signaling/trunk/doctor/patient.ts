import type { CodecName, RtpParameters } from '../../../model/media.ts';
import type { PlainRequest, PlainResult } from '../../plain-request-client.ts';
import type { RegistrationStatus } from '../registration.ts';
import type { DnsLookup, SipTarget } from '../sip-targets.ts';
import type { TrunkDialEvents, TrunkDialRequest, TrunkDialResult } from '../trunk-dialer.ts';
import type { Trunk } from '../trunk.ts';

/** One call's SRTP. Packets that come are opened in place; -1: they are not what they seem. */
export interface PacketGuard {
  protectRtp(packet: Buffer): Buffer;
  unprotectRtp(packet: Buffer, nowMs: number): number;
  unprotectRtcp(packet: Buffer, nowMs: number): number;
}

/** How this daemon's audio is reached. */
export interface MediaPlace {
  readonly bindAddress: string;
  /** Announced instead of it; null: itself. */
  readonly externalAddress: string | null;
  readonly ports: { readonly first: number; readonly last: number };
  /** Codecs that can be spoken here. */
  readonly codecs: readonly CodecName[];
  /** Encrypts a test call. */
  readonly guardPackets: (keys: NonNullable<RtpParameters['srtp']>) => PacketGuard;
}

/** The trunk that is looked at, and all that the checks may do with it. */
export interface Patient {
  readonly trunk: Trunk;
  /** Not remembered: what DNS says now. */
  readonly dns: DnsLookup;
  readonly random: () => number;
  readonly nowMs: () => number;
  readonly send: (request: PlainRequest) => Promise<PlainResult>;
  readonly dial: (request: TrunkDialRequest, events: TrunkDialEvents) => Promise<TrunkDialResult>;
  readonly registration: RegistrationStatus | null;
  /** Text of the authorities that the trunk's certificate may be vouched for by; null: the system's. */
  readonly readAuthorities: (file: string) => Promise<string>;
  readonly media: MediaPlace;
  /** Whom to call for the checks of audio; null: nobody. */
  readonly testNumber: string | null;
  /** Time is up. */
  readonly signal: AbortSignal;
}

/** What checks have learnt for those after them. */
export interface Chart {
  targets: readonly SipTarget[];
  /** One that has answered. */
  answering: SipTarget | null;
  /** Ours, as we wrote it and as it was seen, `host:port`. */
  sentBy: string | null;
  observed: string | null;
  call: TestCallChart | null;
}

/** What a test call has shown. */
export interface TestCallChart {
  readonly isAnswered: boolean;
  readonly sipStatus: number | null;
  readonly codec: string | null;
  /** Suite of SRTP; null: in the clear. */
  readonly encryption: string | null;
  readonly hasTelephoneEvents: boolean;
  readonly packetsSent: number;
  readonly packetsReceived: number;
  /** What we sent came back: an echo, so that the far side has heard us. */
  readonly hasEcho: boolean;
  /** Their RTCP speaks of our stream. */
  readonly isReported: boolean;
  readonly mediaFrom: string | null;
  readonly remoteMedia: string | null;
  readonly why: string;
}

export const emptyChart = (): Chart => ({
  targets: [],
  answering: null,
  sentBy: null,
  observed: null,
  call: null,
});
