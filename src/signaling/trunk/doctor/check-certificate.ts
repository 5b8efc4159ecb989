import { isIP } from 'node:net';
import { checkServerIdentity, connect, type PeerCertificate } from 'node:tls';
import { type SipTarget, targetText } from '../sip-targets.ts';
import { type Finding, findingsOf } from './finding.ts';
import type { Chart, Patient } from './patient.ts';

const found = findingsOf('certificate');
const HANDSHAKE_TIMEOUT_MS = 4_000;
const DAY_MS = 86_400_000;
const EXPIRES_SOON_DAYS = 14;

interface Shown {
  readonly certificate: PeerCertificate;
  /** Null: the authorities vouch for it. */
  readonly mistrust: string | null;
}

/** Whether the carrier's certificate is valid, vouched for, and bears the right name. */
export async function checkCertificate(patient: Patient, { targets }: Chart): Promise<Finding> {
  const target = targets.find(({ transport }) => transport === 'tls');
  if (target === undefined) return found.skipped('The trunk does not use TLS.');
  const { trunk, nowMs } = patient;
  const { caFile } = trunk.tls;
  let ca: string | null;
  try {
    ca = caFile === null ? null : await patient.readAuthorities(caFile);
  } catch {
    return found.fail('tls_ca_file cannot be read.', 'Correct its path or its permissions.');
  }
  const shown = await shake(target, ca);
  if (typeof shown === 'string') {
    const fix = 'The port may be no TLS port, or TLS is too old there.';
    return found.fail(`TLS failed with ${targetText(target)}: ${shown}.`, fix);
  }
  return judge(shown, [trunk.domain, ...trunk.hosts.map(({ host }) => host)], {
    isVerified: trunk.tls.verify,
    nowMs: nowMs(),
  });
}

function judge(
  { certificate, mistrust }: Shown,
  names: readonly string[],
  { isVerified, nowMs }: { readonly isVerified: boolean; readonly nowMs: number },
): Finding {
  const daysLeft = Math.floor((Date.parse(certificate.valid_to) - nowMs) / DAY_MS);
  const bears = names.filter((name) => checkServerIdentity(name, certificate) === undefined);
  const facts = {
    subject: certificate.subject?.CN === undefined ? null : String(certificate.subject.CN),
    names: certificate.subjectaltname ?? null,
    issuer: certificate.issuer?.CN === undefined ? null : String(certificate.issuer.CN),
    expires: certificate.valid_to,
    days_left: daysLeft,
    mistrust,
    is_verified: isVerified,
  };
  const bad = (summary: string, fix: string) =>
    isVerified ? found.fail(summary, fix, facts) : found.warn(summary, fix, facts);
  if (daysLeft < 0) return bad('The certificate has expired.', 'The carrier has to renew it.');
  if (mistrust !== null) {
    const fix = 'Name the authority that issued it in tls_ca_file, or ask the carrier which it is.';
    return bad(`Nobody here vouches for the certificate: ${mistrust}.`, fix);
  }
  if (bears.length === 0) {
    const fix = "Write the host as its certificate has it, or set the trunk's domain to that name.";
    return bad(`The certificate bears none of ${names.join(', ')}.`, fix);
  }
  if (!isVerified) {
    const fix = 'The certificate is good: tls_verify can be true.';
    return found.warn('Certificates are not verified: anybody may be the carrier.', fix, facts);
  }
  if (daysLeft < EXPIRES_SOON_DAYS) {
    return found.warn(`The certificate expires in ${daysLeft} days.`, 'Tell the carrier.', facts);
  }
  return found.ok('The certificate is valid and bears the right name.', facts);
}

/** Takes any certificate, to say what is wrong with it. Nothing is sent. */
function shake({ host, address, port }: SipTarget, ca: string | null): Promise<Shown | string> {
  return new Promise((resolve) => {
    const socket = connect({
      host: address,
      port,
      ...(isIP(host) === 0 ? { servername: host } : {}),
      ...(ca === null ? {} : { ca }),
      rejectUnauthorized: false,
    });
    const end = (result: Shown | string) => {
      socket.destroy();
      resolve(result);
    };
    socket.setTimeout(HANDSHAKE_TIMEOUT_MS, () => end('no answer'));
    socket.once('error', (error) => end(error.message));
    socket.once('secureConnect', () => {
      const certificate = socket.getPeerCertificate();
      const { authorized, authorizationError } = socket;
      // The name is judged apart: here it says only that the chain is not trusted.
      const isOfName = String(authorizationError) === 'ERR_TLS_CERT_ALTNAME_INVALID';
      const mistrust = authorized || isOfName ? null : String(authorizationError);
      end({ certificate, mistrust });
    });
  });
}
