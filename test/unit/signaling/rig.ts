import type { SipEngineOptions, SipSignaling } from '../../../src/signaling/sip-engine-client.ts';
import { connectSipEngine } from '../../../src/signaling/sip-engine-client.ts';
import type { SipInvite } from '../../../src/signaling/sip-leg.ts';
import { Inbox, LegOwner } from '../../support/leg-owner.ts';
import { ScriptedEngine } from '../../support/scripted-engine.ts';

export const SDP =
  'v=0\r\no=- 1 1 IN IP4 192.0.2.1\r\ns=-\r\nc=IN IP4 192.0.2.1\r\nt=0 0\r\nm=audio 4000 RTP/AVP 0\r\n';
export const LATER_SDP = SDP.replace('o=- 1 1', 'o=- 1 2');

/** An owner that offers `SDP` and answers `LATER_SDP`. */
export class Owner extends LegOwner {
  constructor() {
    super(
      () => SDP,
      () => Promise.resolve({ type: 'answer', sdp: LATER_SDP }),
    );
  }
}

export interface Rig {
  readonly engine: ScriptedEngine;
  readonly signaling: SipSignaling;
  readonly invites: Inbox<SipInvite>;
  readonly logged: { readonly level: string; readonly message: string }[];
  close(): Promise<void>;
}

export async function startRig(options: Partial<SipEngineOptions> = {}): Promise<Rig> {
  const engine = await ScriptedEngine.listen();
  const invites = new Inbox<SipInvite>();
  const logged: { level: string; message: string }[] = [];
  const write = (level: string) => (_facts: unknown, message: string) =>
    void logged.push({ level, message });
  const signaling = connectSipEngine({
    ...engine.address,
    onInvite: (invite) => {
      invites.put(invite);
    },
    log: { info: write('info'), warn: write('warn'), error: write('error') },
    ...options,
  });
  await signaling.whenConnected();
  return {
    engine,
    signaling,
    invites,
    logged,
    close: async () => {
      await signaling.close();
      await engine.close();
    },
  };
}

export const CALL_ID = 'one@test';
export const DIALOG_ID = `${CALL_ID};from-tag=theirs`;

/** An INVITE of a phone; further header lines as given. */
export const inviteText = (headers: readonly string[] = [], body = SDP): string =>
  [
    'INVITE sip:demo@127.0.0.1:5060 SIP/2.0',
    'Via: SIP/2.0/UDP 192.0.2.77:5066;branch=z9hG4bK1;rport=5066',
    'From: "Ann Caller" <sip:ann@192.0.2.77>;tag=theirs',
    'To: <sip:demo@127.0.0.1>',
    `Call-ID: ${CALL_ID}`,
    'CSeq: 1 INVITE',
    'Contact: <sip:ann@192.0.2.77:5066>',
    ...(body === '' ? [] : ['Content-Type: application/sdp']),
    ...headers,
    '',
    body,
  ].join('\r\n');

/** A request inside the dialog of `inviteText`. */
export const inDialog = (
  method: string,
  cseq: number,
  headers: readonly string[] = [],
  body = '',
): string =>
  [
    `${method} sip:127.0.0.1:5060 SIP/2.0`,
    `Via: SIP/2.0/UDP 192.0.2.77:5066;branch=z9hG4bK${method}${cseq};rport=5066`,
    'From: "Ann Caller" <sip:ann@192.0.2.77>;tag=theirs',
    'To: <sip:demo@127.0.0.1>;tag=ours',
    `Call-ID: ${CALL_ID}`,
    `CSeq: ${cseq} ${method === 'ACK' ? 'ACK' : method}`,
    'Contact: <sip:ann@192.0.2.77:5066>',
    ...headers,
    '',
    body,
  ].join('\r\n');

export const SDP_TYPE = ['Content-Type: application/sdp'];
