import type { CodecName } from '../../model/media.ts';

/** What a trunk speaks over; `auto` asks DNS (RFC 3263 §4.1), UDP when it has no opinion. */
export type TrunkTransport = 'auto' | 'udp' | 'tcp' | 'tls';

/** A name or address of the carrier; without a port DNS may name one. */
export interface TrunkHost {
  readonly host: string;
  readonly port: number | null;
}

/** Which numbers may stand as the caller of an outbound call. */
export type CallerIdPolicy = 'own-numbers' | 'fixed' | 'any';

/** Where the caller's number is written: `from`, beside it an identity, or only the identity. */
export type CallerIdHeader =
  | 'from'
  | 'p-asserted-identity'
  | 'p-preferred-identity'
  | 'remote-party-id';

/**
 * An agreement with a carrier, as the operator wrote it into the `trunks:` list
 * (`src/config/trunk-schema.ts` says what each setting means). Numbers are E.164 with `+`.
 */
export interface Trunk {
  readonly name: string;
  /** At least one, in the order of preference. */
  readonly hosts: readonly [TrunkHost, ...TrunkHost[]];
  readonly transport: TrunkTransport;
  /** Host part of our address at the carrier. */
  readonly domain: string;
  /** User part of our address at the carrier; null for a trunk known by its address alone. */
  readonly username: string | null;
  /** What challenges of the carrier are answered with. */
  readonly credentials: {
    readonly username: string;
    readonly password: string;
    readonly realm: string | null;
  } | null;
  readonly registration: { readonly expiresSeconds: number } | null;
  /** Addresses and networks, beside those of `hosts`. */
  readonly allowedSources: readonly string[];
  /** What inbound INVITEs must prove; null: their source is proof enough. */
  readonly inboundCredentials: { readonly username: string; readonly password: string } | null;
  readonly callerId: {
    readonly policy: CallerIdPolicy;
    /** Used when a call names none, and always with policy `fixed`. */
    readonly number: string | null;
    readonly header: CallerIdHeader;
  };
  /** ISO 3166 country of numbers written without `+`; null: they stay as they are. */
  readonly country: string | null;
  /** How numbers are written to the carrier: `+34…` or `34…`. */
  readonly numberFormat: 'e164' | 'digits';
  readonly codecs: readonly CodecName[];
  readonly dtmf: 'rfc4733' | 'info';
  readonly srtp: 'off' | 'optional' | 'required';
  /** `+34`, or `+` for everywhere. None: no outbound calls. */
  readonly outboundPrefixes: readonly string[];
  readonly channelsMax: number;
  readonly callsPerSecond: number;
  readonly noAnswerSeconds: number;
  /** In Contact and session descriptions to this carrier. */
  readonly externalAddress: string | null;
  readonly sessionTimer: {
    readonly expiresSeconds: number;
    readonly refresher: 'uac' | 'uas' | null;
  } | null;
  /** OPTIONS every so often; 0: never, and the trunk counts as up. */
  readonly optionsSeconds: number;
  /** Line ends to the carrier this often; 0: none. */
  readonly keepAliveSeconds: number;
  /** Requests above 1,300 bytes go by TCP (RFC 3261 §18.1.1). */
  readonly prefersTcp: boolean;
  readonly tls: { readonly verify: boolean; readonly caFile: string | null };
  /** Dialed number or name, and the agent that answers it. */
  readonly numbers: ReadonlyMap<string, string>;
  /** Agent of numbers that nobody named; null: 404. */
  readonly agent: string | null;
}
