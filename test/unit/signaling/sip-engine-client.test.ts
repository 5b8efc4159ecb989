import assert from 'node:assert/strict';

import { BACK_OFF_FIRST_MS, BACK_OFF_MAX_MS, backOffMs } from '../../../src/signaling/back-off.ts';
import { connectSipEngine } from '../../../src/signaling/sip-engine-client.ts';
import { SignalingError } from '../../../src/signaling/signaling-error.ts';
import { ScriptedEngine } from '../../support/scripted-engine.ts';
import { Inbox } from '../../support/leg-owner.ts';
import type { Rig } from './rig.ts';
import { DIALOG_ID, inviteText, Owner, SDP, startRig } from './rig.ts';

const QUIET = { info: () => {}, warn: () => {}, error: () => {} };

describe('the connection to the engine', () => {
  let rig: Rig | null = null;
  afterEach(async () => {
    await rig?.close();
    rig = null;
  });

  it('registers every route once, before the first call', async () => {
    rig = await startRig();
    rig.engine.deliver(inviteText());
    (await rig.invites.next()).refuse(486);
    await rig.engine.nextSip('SIP/2.0 486');
    const routes = [...rig.engine.routes].sort();
    assert.deepEqual(
      routes,
      'info invite message notify options publish refer register subscribe'.split(' '),
    );
  });

  it('comes back after a loss, with its routes, and takes calls again', async () => {
    const losses = new Inbox<string>();
    rig = await startRig({ onLost: (why) => losses.put(why) });
    const owner = new Owner();
    rig.engine.deliver(inviteText());
    const answering = (await rig.invites.next()).answer(SDP, owner);
    rig.engine.echoAnswer(await rig.engine.nextSip('SIP/2.0 200'), DIALOG_ID);
    await answering;
    rig.engine.crash();
    assert.equal((await owner.ends.next()).reason, 'sip-engine-lost');
    await losses.next();
    assert.equal(rig.signaling.callCount, 0);
    await rig.signaling.whenConnected();
    rig.engine.deliver(inviteText());
    (await rig.invites.next()).refuse(486);
    await rig.engine.nextSip('SIP/2.0 486');
    assert.equal(rig.engine.routes.length, 18);
  });

  it('to an engine that falls silent is lost', async () => {
    const losses = new Inbox<string>();
    rig = await startRig({ timeouts: { pingMs: 20 }, onLost: (why) => losses.put(why) });
    rig.engine.answersPings = false;
    assert.equal(await losses.next(), 'the engine is silent');
  });

  it('to an engine that answers pings is kept', async () => {
    const losses = new Inbox<string>();
    rig = await startRig({ timeouts: { pingMs: 10 }, onLost: (why) => losses.put(why) });
    rig.engine.deliver(inviteText());
    const invite = await rig.invites.next();
    await new Promise((resolve) => {
      setTimeout(resolve, 100);
    });
    assert.deepEqual(losses.all, []);
    invite.refuse(486);
    await rig.engine.nextSip('SIP/2.0 486');
  });

  it('is closed by a frame that cannot be read, and nothing throws', async () => {
    const losses = new Inbox<string>();
    rig = await startRig({ onLost: (why) => losses.put(why) });
    rig.engine.sendRaw('hello#world');
    await losses.next();
    await rig.signaling.whenConnected();
  });

  it('with a wrong secret is tried again with growing waits, and never stands', async () => {
    const engine = await ScriptedEngine.listen();
    const waits: unknown[] = [];
    const fourth = new Inbox<void>();
    const signaling = connectSipEngine({
      ...engine.address,
      secret: 'wrong',
      onInvite: () => {},
      log: {
        ...QUIET,
        warn: (facts) => {
          waits.push(facts['waitMs']);
          if (waits.length === 4) fourth.put();
        },
      },
    });
    const connecting = assert.rejects(signaling.whenConnected(), SignalingError);
    await fourth.next();
    assert.equal(engine.connectionCount, 4);
    assert.equal(signaling.isConnected, false);
    await signaling.close();
    await connecting;
    await engine.close();
    assert.ok(Number(waits[3]) > 2 * Number(waits[0]), waits.join(' '));
  });

  it('to nobody is given up by close, at any time', async () => {
    const engine = await ScriptedEngine.listen();
    const { address } = engine;
    await engine.close();
    const signaling = connectSipEngine({ ...address, onInvite: () => {}, log: QUIET });
    const connecting = assert.rejects(signaling.whenConnected(), SignalingError);
    await signaling.close();
    await signaling.close();
    await connecting;
    await assert.rejects(signaling.whenConnected(), SignalingError);
  });

  it('waits longer after each failure, up to a limit, and never less than a first wait', () => {
    for (let failures = 1; failures < 100; failures += 1) {
      for (const random of [0, 0.5, 0.999_999]) {
        const waitMs = backOffMs(failures, random);
        assert.ok(waitMs >= 0.8 * BACK_OFF_FIRST_MS && waitMs <= 1.2 * BACK_OFF_MAX_MS);
        assert.ok(waitMs >= backOffMs(Math.max(1, failures - 1), random));
      }
    }
    assert.equal(backOffMs(50, 0.5), BACK_OFF_MAX_MS);
  });
});
