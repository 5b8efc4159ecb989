import assert from 'node:assert/strict';
import { ClickToCall } from '../../../src/access/click-to-call.ts';
import { DailyCalls } from '../../../src/access/daily-calls.ts';
import type { DialCallReply } from '../../../src/call/call-requests.ts';
import { asAgentId } from '../../../src/model/ids.ts';
import { DEMO_WORKSPACE_ID } from '../../../src/storage/bootstrap.ts';
import { temporaryStorage } from '../../support/storage.ts';

const NUMBER = '+34955666777';

describe('click-to-call when something of ours fails', () => {
  let temporary: Awaited<ReturnType<typeof temporaryStorage>>;
  let token: string;
  const errors: unknown[] = [];
  before(async () => {
    temporary = await temporaryStorage();
    const { agents, clickToCall } = temporary.storage;
    const id = asAgentId('agt_demo');
    const clickToCallRules = { isSignatureOff: true };
    await agents.update(
      DEMO_WORKSPACE_ID,
      id,
      { type: 'click_to_call', clickToCall: clickToCallRules },
      5,
    );
    const owner = { agentId: id, workspaceId: DEMO_WORKSPACE_ID, isTest: false };
    token = (await clickToCall.ensure(owner, 5)).token;
  });
  after(() => temporary.remove());

  const door = (dial: () => Promise<DialCallReply>) => {
    const { agents, clickToCall: credentials, publicAdmissions: admissions } = temporary.storage;
    const nowMs = () => 1_800_000_000_000;
    return new ClickToCall({
      credentials,
      agents,
      calls: () => ({
        dial,
        previewDial: async () => ({ accepted: true as const, from: '', to: NUMBER }),
      }),
      simulate: dial,
      dailyCalls: new DailyCalls({ admissions, nowMs }),
      hasTrunks: () => true,
      requestsPerMinute: 1000,
      onError: (error) => errors.push(error),
      nowMs,
    });
  };
  const request = {
    signature: null,
    timestamp: null,
    idempotencyKey: null,
    body: Buffer.from(JSON.stringify({ phone: NUMBER })),
    network: '127.0.0.1',
    agentId: null,
  };
  const codeOf = async (dial: () => Promise<DialCallReply>) => {
    const answer = await door(dial).request({ ...request, apiKey: token });
    return 'code' in answer ? `${answer.code} ${answer.reason ?? ''}` : answer.callId;
  };

  it('says 008 with a reason, and frees the number for the next request [SEED-127, R19]', async () => {
    const refuse = async (): Promise<DialCallReply> => ({ accepted: false, reason: 'at-capacity' });
    const fail = () => Promise.reject<DialCallReply>(new Error('a bug'));
    assert.equal(await codeOf(refuse), 'CALL_FAILED capacity');
    assert.equal(await codeOf(fail), 'CALL_FAILED internal');
    assert.equal(await codeOf(refuse), 'CALL_FAILED capacity', 'and not "in progress"');
    assert.equal(errors.length, 1);
  });

  it('says 002 when the agent cannot be read [SEED-121]', async () => {
    await temporary.storage.close();
    const answer = await door(() => assert.fail()).request({ ...request, apiKey: token });
    assert.equal('code' in answer && answer.code, 'AGENT_FETCH_FAILED');
  });
});
