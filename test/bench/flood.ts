import { fork } from 'node:child_process';
import { once } from 'node:events';
import { Gateway } from '../support/gateway.ts';
import { SipPhone } from '../support/sip-phone.ts';
import { residentKib } from './process-figures.ts';

const SECONDS = 60;
/** More than the daemon can answer, so that its tables fill. */
const PACKETS_PER_SECOND = 2_000;
const SOURCES = 200;
const TRANSACTIONS_MAX = 5_000;
/** Timers H and J hold a transaction for 32 s. */
const FORGOTTEN_AFTER_MS = 45_000;
/** The collector takes its time on an idle heap. */
const COLLECTED_AFTER_MS = 20_000;

export interface FloodFigures {
  readonly packets: number;
  readonly transactionsMost: number;
  readonly transactionsAfter: number;
  readonly dialogsAfter: number;
  readonly refused: number;
  readonly residentMib: { readonly before: number; readonly most: number; readonly after: number };
  readonly heapMib: { readonly before: number; readonly after: number };
  /** Calls of somebody else during the flood. */
  readonly callsTried: number;
  readonly callsAnswered: number;
}

/** New requests from 200 addresses, never acknowledged, for a minute; and a caller among them. */
export async function benchFlood(): Promise<FloodFigures> {
  const gateway = await Gateway.start({
    env: {
      TRUNKLINE_LOG_LEVEL: 'error',
      TRUNKLINE_SIP_TRANSACTIONS_MAX: String(TRANSACTIONS_MAX),
    },
  });
  try {
    const pid = gateway.process.pid ?? 0;
    await callOnce(gateway.sipPort);
    await floodFor(gateway.sipPort, 10);
    await new Promise((resolve) => setTimeout(resolve, FORGOTTEN_AFTER_MS));
    const [residentBefore, heapBefore] = [residentKib(pid), await heap(gateway)];
    const flooding = floodFor(gateway.sipPort, SECONDS);
    let [transactionsMost, residentMost, callsTried, callsAnswered] = [0, 0, 0, 0];
    const over = new AbortController();
    void flooding.then(() => over.abort());
    while (!over.signal.aborted) {
      transactionsMost = Math.max(transactionsMost, await transactions(gateway));
      residentMost = Math.max(residentMost, residentKib(pid));
      callsTried += 1;
      if (await callOnce(gateway.sipPort)) callsAnswered += 1;
      await new Promise((resolve) => setTimeout(resolve, 500));
    }
    await flooding;
    await new Promise((resolve) => setTimeout(resolve, FORGOTTEN_AFTER_MS));
    // What is remembered of finished transactions is dropped when the next one comes.
    await callOnce(gateway.sipPort);
    await new Promise((resolve) => setTimeout(resolve, COLLECTED_AFTER_MS));
    return {
      packets: SECONDS * PACKETS_PER_SECOND,
      transactionsMost,
      transactionsAfter: await transactions(gateway),
      dialogsAfter: await gateway.metric('trunkline_sip_events', /event="dialogs"/),
      refused: await gateway.metric('trunkline_sip_events', /event="rejectedOverload"/),
      residentMib: {
        before: residentBefore / 1024,
        most: residentMost / 1024,
        after: residentKib(pid) / 1024,
      },
      heapMib: { before: heapBefore, after: await heap(gateway) },
      callsTried,
      callsAnswered,
    };
  } finally {
    await gateway.stop();
  }
}

async function floodFor(sipPort: number, seconds: number): Promise<void> {
  const args = [sipPort, seconds * PACKETS_PER_SECOND, PACKETS_PER_SECOND, SOURCES].map(String);
  const child = fork(new URL('flooder.ts', import.meta.url), args, {
    execArgv: ['--import', 'ts-blank-space/register'],
  });
  const [code] = await once(child, 'exit');
  if (code !== 0) throw new Error(`the flood ended with ${code}`);
}

/** False when it was refused; a refusal under load is an answer too, but no call. */
async function callOnce(sipPort: number): Promise<boolean> {
  const phone = await SipPhone.open(sipPort);
  const sdp = [
    'v=0',
    'o=- 1 1 IN IP4 127.0.0.1',
    's=-',
    'c=IN IP4 127.0.0.1',
    't=0 0',
    `m=audio ${phone.localPort} RTP/AVP 0`,
    '',
  ].join('\r\n');
  const { status } = await phone.invite({ sdp });
  if (status === 200) await phone.bye();
  phone.close();
  return status === 200;
}

function transactions(gateway: Gateway): Promise<number> {
  return gateway.metric('trunkline_sip_transactions');
}

async function heap(gateway: Gateway): Promise<number> {
  return (await gateway.metric('nodejs_heap_size_used_bytes')) / 1024 / 1024;
}
