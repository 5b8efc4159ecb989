import { connect, type PeerCertificate, type TLSSocket, checkServerIdentity } from 'node:tls';
import { isIP } from 'node:net';
import { SipEngineError } from '../engine-error.ts';
import type { Place } from './transport.ts';

/** What we ask of the server at the other end of a TLS connection. */
export interface TlsPeer {
  /** Names of which its certificate must bear one: the SIP domain, the host as configured. */
  readonly names: readonly string[];
  /** What is asked for in the handshake (SNI); undefined: the host that was named. */
  readonly serverName?: string;
  /** False: whoever answers is taken, which protects from listeners only. */
  readonly verify: boolean;
  /** PEM of those who vouch for it; undefined: the system's. */
  readonly ca?: string;
}

/** Finds what is asked of a place; undefined: a certificate for the host that was named. */
export type FindTlsPeer = (place: Place) => TlsPeer | undefined;

/** Below are none but broken ones. */
export const TLS_MIN_VERSION = 'TLSv1.2';

/** Connects, with a certificate check of RFC 5922 §7. Throws when the settings cannot be used. */
export function connectTls(place: Place, findPeer: FindTlsPeer): TLSSocket {
  const named = place.host ?? place.address;
  const found: TlsPeer = findPeer(place) ?? { names: [named], verify: true };
  const { names, verify, ca, serverName = named } = found;
  return connect({
    host: place.address,
    port: place.port,
    minVersion: TLS_MIN_VERSION,
    rejectUnauthorized: verify,
    checkServerIdentity: (_host, certificate) => identityFault(names, certificate),
    ...(isIP(serverName) === 0 ? { servername: serverName } : {}),
    ...(ca === undefined ? {} : { ca }),
  });
}

/**
 * RFC 5922 §7.1: a `sip:` URI or a DNS name among the subject's alternative names; the common
 * name where there are none. Wildcards count, against §7.2: large carriers use them.
 */
export function identityFault(
  names: readonly string[],
  certificate: PeerCertificate,
): Error | undefined {
  const uris = (certificate.subjectaltname ?? '').matchAll(/URI:"?sip:([^",\s]+)/gi);
  const domains = new Set([...uris].map(([, domain = '']) => domain.toLowerCase()));
  const isNamed = names.some(
    (name) =>
      domains.has(name.toLowerCase()) || checkServerIdentity(name, certificate) === undefined,
  );
  if (isNamed) return undefined;
  return new SipEngineError('SIP_TLS_WRONG_NAME', 'the certificate is for another name');
}

const CAUSES: Readonly<Record<string, string>> = {
  CERT_HAS_EXPIRED: 'the certificate has expired',
  CERT_NOT_YET_VALID: 'the certificate is not valid yet',
  CERT_REVOKED: 'the certificate was revoked',
  DEPTH_ZERO_SELF_SIGNED_CERT: 'the certificate is self-signed',
  SELF_SIGNED_CERT_IN_CHAIN: 'unknown issuer of the certificate',
  UNABLE_TO_GET_ISSUER_CERT: 'unknown issuer of the certificate',
  UNABLE_TO_GET_ISSUER_CERT_LOCALLY: 'unknown issuer of the certificate',
  UNABLE_TO_VERIFY_LEAF_SIGNATURE: 'unknown issuer of the certificate',
  SIP_TLS_WRONG_NAME: 'the certificate is for another name',
  ECONNREFUSED: 'connection refused',
  ECONNRESET: 'connection reset',
  EHOSTUNREACH: 'host unreachable',
  ENETUNREACH: 'network unreachable',
  ETIMEDOUT: 'no answer to the connection',
  EPROTO: 'no TLS is spoken there',
  ENOENT: 'the file of certificates that vouch for it cannot be read',
  EACCES: 'the file of certificates that vouch for it cannot be read',
};

/** Why a connection failed, for people: a closed list of sentences, or the code. */
export function connectionFault(error: unknown): string {
  const code = error instanceof Error && 'code' in error ? String(error.code) : '';
  if (code.startsWith('ERR_SSL')) return CAUSES['EPROTO'] ?? code;
  if (code.startsWith('ERR_OSSL')) return 'the certificates that vouch for it cannot be used';
  return CAUSES[code] ?? (code === '' ? 'connection failed' : code);
}
