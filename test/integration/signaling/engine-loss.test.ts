import assert from 'node:assert/strict';

import { needsSipp, runSipp } from '../../support/sipp.ts';
import { SipPhone } from './sip-phone.ts';

const CALLS = 20;

describe('the loss of the SIP engine', function () {
  this.timeout(60_000);
  before(function () {
    needsSipp(this);
  });

  it('ends every live call once, and an unanswered one too', async () => {
    const phone = await SipPhone.start();
    const phones = new AbortController();
    const running = runSipp({
      scenario: 'signaling-agent-hangs-up',
      remote: phone.engine.sip,
      calls: CALLS,
      callsPerSecond: 100,
      signal: phones.signal,
    });
    try {
      const taken = await Promise.all(Array.from({ length: CALLS - 1 }, () => phone.take()));
      const waiting = await phone.invites.next();
      const canceled = new Promise<string | null>((resolve) => {
        waiting.onCanceled(({ reason }) => {
          resolve(reason);
        });
      });
      assert.equal(phone.signaling.callCount, CALLS);
      const closing = phone.engine.close();
      assert.equal(await canceled, 'sip-engine-lost');
      for (const { owner, leg } of taken) {
        assert.equal((await owner.ends.next()).reason, 'sip-engine-lost');
        await leg.hangUp();
        assert.equal(owner.ends.all.length, 1);
      }
      assert.equal(phone.signaling.callCount, 0);
      await closing;
    } finally {
      phones.abort();
      await running;
      await phone.close();
    }
  });
});
