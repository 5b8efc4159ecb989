import { randomBytes } from 'node:crypto';
import { once } from 'node:events';
import { type CarrierMessage, type FakeCarrier, first } from './fake-carrier.ts';

const T1_MS = 500;
const SENT_MAX = 5;

/** A call that a carrier makes, from its own port: a NAT lets nobody else in. */
export interface CarriedCall {
  /** The 200, acknowledged. */
  readonly answer: CarrierMessage;
  /** In the dialog; resolves with its final answer. */
  request(method: string): Promise<CarrierMessage>;
}

/**
 * Calls whom a registration was made for. Throws with the final answer when that is no 200, and
 * when nothing comes.
 *
 * @param contact the address that was registered, `sip:user@address:port`
 */
export async function callByCarrier(
  carrier: FakeCarrier,
  contact: string,
  { from, sdp }: { readonly from: string; readonly sdp: string },
): Promise<CarriedCall> {
  const callId = `${randomBytes(8).toString('hex')}@carrier`;
  const fromTag = randomBytes(4).toString('hex');
  let cseq = 0;
  let target = contact;
  let to = `<${contact}>`;
  const write = (method: string, number: number, branch: string, body: string) => {
    const type = body === '' ? [] : ['Content-Type: application/sdp'];
    const lines = [
      `${method} ${target} SIP/2.0`,
      `Via: SIP/2.0/UDP ${carrier.address}:${carrier.port};branch=${branch};rport`,
      'Max-Forwards: 70',
      `From: <sip:${from}@carrier.test>;tag=${fromTag}`,
      `To: ${to}`,
      `Call-ID: ${callId}`,
      `CSeq: ${number} ${method}`,
      `Contact: ${carrier.contact}`,
      ...type,
      `Content-Length: ${Buffer.byteLength(body)}`,
      '',
      body,
    ];
    const [, address = '', port = ''] = /@([^:;>]+):(\d+)/.exec(target) ?? [];
    carrier.sendByUdp(lines.join('\r\n'), Number(port), address);
  };
  const transact = async (method: string, body = ''): Promise<CarrierMessage> => {
    cseq += 1;
    const [number, branch] = [cseq, newBranch()];
    const isAnswer = (message: CarrierMessage) =>
      first(message, 'call-id') === callId && first(message, 'cseq') === `${number} ${method}`;
    let sent = 0;
    let timer: NodeJS.Timeout | undefined;
    const send = (): void => {
      if (sent === SENT_MAX) return;
      write(method, number, branch, body);
      timer = setTimeout(send, T1_MS * 2 ** sent);
      sent += 1;
    };
    send();
    try {
      const signal = AbortSignal.timeout(20_000);
      for (;;) {
        const [message] = (await once(carrier, 'stray', { signal })) as [CarrierMessage];
        if (!isAnswer(message)) continue;
        clearTimeout(timer);
        if ((message.status ?? 0) >= 200) return message;
      }
    } finally {
      clearTimeout(timer);
    }
  };
  const answer = await transact('INVITE', sdp);
  if (answer.status !== 200) throw new Error(`the call was refused: ${answer.startLine}`);
  to = first(answer, 'to');
  target = /<([^>]+)>/.exec(first(answer, 'contact'))?.[1] ?? contact;
  write('ACK', cseq, newBranch(), '');
  return { answer, request: (method) => transact(method) };
}

function newBranch(): string {
  return `z9hG4bK${randomBytes(8).toString('hex')}`;
}
