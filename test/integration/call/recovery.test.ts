import assert from 'node:assert/strict';
import { createSocket, type Socket } from 'node:dgram';
import { once } from 'node:events';
import { Gateway } from '../../../src/app.ts';
import { loadConfig } from '../../../src/config.ts';
import type { CallRecord } from '../../../src/model/call.ts';
import { asAgentId, asCallId } from '../../../src/model/ids.ts';
import { silentLogger } from '../../../src/observability/logger.ts';
import { SipPhone } from '../../support/sip-phone.ts';
import { temporaryFolder } from '../../support/temporary-folder.ts';

/** The gateway inside this process: only from within can one of its parts be made to die. */
describe('a gateway that loses a part of itself', function () {
  this.timeout(60_000);
  let folder: Awaited<ReturnType<typeof temporaryFolder>>;
  let gateway: Gateway;
  const callers: TestCaller[] = [];

  beforeEach(async () => {
    folder = await temporaryFolder();
    const config = loadConfig({
      TRUNKLINE_CONFIG: '/dev/null',
      TRUNKLINE_DATA_DIR: folder.path,
      TRUNKLINE_HTTP_PORT: '0',
      TRUNKLINE_SIP_PORT: '0',
      TRUNKLINE_MEDIA_WORKERS: '2',
      TRUNKLINE_MEDIA_PORTS: '42000-42199',
    });
    gateway = new Gateway({ config, log: silentLogger(), version: '0' });
    for (const part of gateway.parts) await part.start();
  });

  afterEach(async () => {
    for (const caller of callers.splice(0)) caller.close();
    for (const part of gateway.parts.toReversed()) await part.stop(AbortSignal.abort());
    await folder.remove();
  });

  const dial = async (): Promise<TestCaller> => {
    const caller = await TestCaller.dial(Number(gateway.sip.address.split(':').at(-1)));
    callers.push(caller);
    return caller;
  };

  const recordOf = async (caller: TestCaller): Promise<CallRecord> => {
    const agent = await gateway.storage.agents.findForCall(asAgentId('agt_demo'));
    assert.ok(agent);
    const all = await gateway.storage.calls.list(agent.workspaceId, {}, 50);
    const mine = all.find((call) => call.sipCallId === caller.phone.callId);
    assert.ok(mine, 'the call stands in the database');
    return mine;
  };

  it('ends the calls of a voice worker that dies, keeps the others, and starts another', async () => {
    const [first, second] = [await dial(), await dial()];
    await Promise.all([first.nextPacket(), second.nextPacket()]);
    const victim = gateway.pool.workers.find((worker) => worker?.legCount === 1);
    assert.ok(victim);

    await victim.terminate();
    const isFirst = await Promise.race([
      first.phone.nextRequest('BYE').then(() => true),
      second.phone.nextRequest('BYE').then(() => false),
    ]);
    const [lost, kept] = isFirst ? [first, second] : [second, first];
    await ended(gateway, (await recordOf(lost)).id);
    assert.equal((await recordOf(lost)).endReason, 'worker-crashed');

    await kept.nextPacket();
    assert.equal((await recordOf(kept)).endReason, null);
    const bye = await kept.phone.bye();
    assert.equal(bye.status, 200);
    await ended(gateway, (await recordOf(kept)).id);
    assert.equal((await recordOf(kept)).endReason, 'caller-hung-up');

    await until(() => gateway.pool.workers.every((worker) => worker !== null));
    const calls = [await dial(), await dial()];
    await Promise.all(calls.map((caller) => caller.nextPacket()));
    assert.deepEqual(
      gateway.pool.workers.map((worker) => worker?.legCount),
      [1, 1],
    );
  });

  it('ends calls when the SIP engine is lost, and takes new ones at the same port', async () => {
    const port = gateway.sip.address;
    const caller = await dial();
    await caller.nextPacket();
    const id = (await recordOf(caller)).id;

    await gateway.sip.engine?.close();
    await ended(gateway, id);
    assert.equal((await recordOf(caller)).endReason, 'sip-engine-lost');
    assert.equal(gateway.pool.legCount, 0);

    await until(() => gateway.sip.isConnected);
    assert.equal(gateway.sip.address, port);
    const again = await dial();
    await again.nextPacket();
    assert.equal((await again.phone.bye()).status, 200);
  });
});

class TestCaller {
  readonly phone: SipPhone;
  readonly #socket: Socket;

  private constructor(phone: SipPhone, socket: Socket) {
    this.phone = phone;
    this.#socket = socket;
  }

  static async dial(sipPort: number): Promise<TestCaller> {
    const socket = createSocket('udp4');
    socket.bind(0, '127.0.0.1');
    await once(socket, 'listening');
    const phone = await SipPhone.open(sipPort);
    const caller = new TestCaller(phone, socket);
    const answer = await phone.invite({
      sdp: [
        'v=0',
        'o=- 1 1 IN IP4 127.0.0.1',
        's=-',
        'c=IN IP4 127.0.0.1',
        't=0 0',
        `m=audio ${socket.address().port} RTP/AVP 0`,
        '',
      ].join('\r\n'),
    });
    assert.equal(answer.status, 200);
    return caller;
  }

  /** Resolves with the next packet of the agent's voice. */
  async nextPacket(): Promise<void> {
    await once(this.#socket, 'message');
  }

  close(): void {
    this.phone.close();
    this.#socket.close();
  }
}

async function ended(gateway: Gateway, id: string): Promise<void> {
  await gateway.calls.find(asCallId(id))?.ended;
}

async function until(isSo: () => boolean): Promise<void> {
  const deadline = Date.now() + 20_000;
  while (!isSo()) {
    if (Date.now() > deadline) throw new Error('it did not happen in time');
    await new Promise((resolve) => setTimeout(resolve, 20));
  }
}
