import assert from 'node:assert/strict';
import { Admission } from '../../../src/call/admission.ts';
import { testAgent } from '../../support/test-agent.ts';

describe('admission', () => {
  it('gives places up to the daemon limit and takes them back once', () => {
    const admission = new Admission({ callsMax: 2 });
    const agent = testAgent();
    const first = admission.admit(agent);
    const second = admission.admit(agent);
    assert.ok(first.admitted && second.admitted);
    assert.deepEqual(admission.admit(agent), { admitted: false, reason: 'at-capacity' });

    first.release();
    first.release();
    assert.equal(admission.live, 1);
    assert.ok(admission.admit(agent).admitted);
    assert.deepEqual(admission.admit(agent), { admitted: false, reason: 'at-capacity' });
  });

  it('says busy for one agent without touching another', () => {
    const admission = new Admission({ callsMax: 100 });
    const small = testAgent({ id: 'agt_small', concurrentCallsMax: 1 });
    const place = admission.admit(small);
    assert.ok(place.admitted);
    assert.deepEqual(admission.admit(small), { admitted: false, reason: 'agent-busy' });
    assert.ok(admission.admit(testAgent({ id: 'agt_other' })).admitted);

    place.release();
    assert.ok(admission.admit(small).admitted);
  });

  it('refuses a disabled agent before it counts anything', () => {
    const admission = new Admission({ callsMax: 1 });
    const agent = testAgent({ isEnabled: false });
    assert.deepEqual(admission.admit(agent), { admitted: false, reason: 'agent-disabled' });
    assert.equal(admission.live, 0);
  });

  it('refuses everything while draining and keeps what lives', () => {
    const admission = new Admission({ callsMax: 10 });
    const place = admission.admit(testAgent());
    admission.drain();
    assert.deepEqual(admission.admit(testAgent()), { admitted: false, reason: 'draining' });
    assert.equal(admission.live, 1);
    assert.ok(place.admitted);
    place.release();
    assert.equal(admission.live, 0);
  });
});
