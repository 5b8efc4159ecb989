import { type Finding, findingsOf } from './finding.ts';
import type { Chart, Patient } from './patient.ts';

const codecs = findingsOf('codecs');
const rtp = findingsOf('rtp');
const dtmf = findingsOf('dtmf');

const NOT_CALLED = 'Name a number to call, to have this checked.';

/** Whether we and the carrier have a codec in common. */
export async function checkCodecs(
  { trunk, media, testNumber }: Patient,
  { call }: Chart,
): Promise<Finding> {
  const ours = trunk.codecs.filter((codec) => media.codecs.includes(codec));
  const missing = trunk.codecs.filter((codec) => !media.codecs.includes(codec));
  const facts = { ours, cannot_be_spoken: missing, agreed: call?.codec ?? null };
  if (ours.length === 0) {
    const fix = `Set codecs of the trunk to some of ${media.codecs.join(', ')}.`;
    return codecs.fail('None of the codecs of the trunk can be spoken here.', fix, facts);
  }
  if (call?.isAnswered === true && call.codec === null) {
    const fix =
      trunk.srtp === 'off'
        ? 'Ask the carrier for its codecs; PCMA and PCMU are spoken nearly everywhere.'
        : 'Ask the carrier for its codecs, and whether it encrypts with keys by SDES; if not, set srtp: off.';
    return codecs.fail(`The answer of the carrier cannot be used: ${call.why}.`, fix, facts);
  }
  if (call?.sipStatus === 488 || call?.sipStatus === 606) {
    const fix = 'Ask the carrier for its codecs; PCMA and PCMU are spoken nearly everywhere.';
    return codecs.fail('The carrier takes none of our codecs.', fix, facts);
  }
  if (call?.isAnswered === true) return codecs.ok(`The call was in ${call.codec}.`, facts);
  if (missing.length > 0) {
    const fix = 'Remove them from the trunk, or install what they need.';
    return codecs.warn(`${missing.join(', ')} cannot be spoken here.`, fix, facts);
  }
  return codecs.ok(
    testNumber === null
      ? `We offer ${ours.join(', ')}. ${NOT_CALLED}`
      : `We offer ${ours.join(', ')}.`,
    facts,
  );
}

/** Whether audio passes, by a call of a few seconds. */
export async function checkRtp({ testNumber }: Patient, { call }: Chart): Promise<Finding> {
  if (testNumber === null) return rtp.skipped(NOT_CALLED);
  if (call === null) return rtp.skipped('No call could be tried.');
  const facts = {
    sip_status: call.sipStatus,
    encryption: call.encryption,
    packets_sent: call.packetsSent,
    packets_received: call.packetsReceived,
    heard_ourselves: call.hasEcho,
    reported_by_rtcp: call.isReported,
    asked_to_send_to: call.remoteMedia,
    came_from: call.mediaFrom,
  };
  if (!call.isAnswered) {
    const fix =
      'Nobody answered, so nothing is known of audio: call a number that answers at once.';
    return rtp.warn(`The test call was not answered: ${call.why}.`, fix, facts);
  }
  if (call.codec === null) return rtp.skipped('No audio could be agreed on.', facts);
  if (call.packetsReceived === 0) {
    const fix =
      'Open the media ports (media.ports, UDP) in the firewall, and see the check of the media address.';
    return rtp.fail('The call was answered, and no audio came.', fix, facts);
  }
  if (!call.hasEcho && !call.isReported) {
    const fix = 'Whether they hear us nobody has said: call an echo number, or listen.';
    return rtp.warn('Audio comes; nothing shows that ours arrives.', fix, facts);
  }
  const how = call.encryption === null ? '' : ', encrypted';
  return rtp.ok(`Audio passes both ways${how}.`, facts);
}

/** Whether keys can be sent as the trunk says. */
export async function checkDtmf({ trunk, testNumber }: Patient, { call }: Chart): Promise<Finding> {
  const facts = {
    dtmf: trunk.dtmf,
    carrier_takes_rfc4733: call?.isAnswered === true ? call.hasTelephoneEvents : null,
  };
  if (testNumber === null) return dtmf.skipped(NOT_CALLED, facts);
  if (call?.isAnswered !== true) return dtmf.skipped('The test call was not answered.', facts);
  if (call.codec === null) return dtmf.skipped('No audio could be agreed on.', facts);
  if (trunk.dtmf === 'rfc4733' && !call.hasTelephoneEvents) {
    const fix = 'Set dtmf: info if the carrier takes SIP INFO; otherwise keys are sent as tones.';
    return dtmf.warn('The carrier does not take keys by RFC 4733.', fix, facts);
  }
  if (trunk.dtmf === 'info' && call.hasTelephoneEvents) {
    return dtmf.ok('Keys go by SIP INFO; the carrier would take RFC 4733 too.', facts);
  }
  return dtmf.ok('Keys are sent as the carrier takes them.', facts);
}
