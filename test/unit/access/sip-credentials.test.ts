import assert from 'node:assert/strict';
import { createSipCredentials } from '../../../src/access/sip-credentials.ts';
import { SignedTokens } from '../../../src/access/signed-tokens.ts';
import { DEMO_WORKSPACE_ID } from '../../../src/storage/bootstrap.ts';
import { newApiKey } from '../../../src/storage/api-key-repository.ts';
import { DEMO_AGENT, temporaryStorage } from '../../support/storage.ts';
import { createWebCallTokens } from '../../../src/access/web-call-tokens.ts';
import { newSharedKey } from '../../../src/storage/shared-key-repository.ts';

describe('names and passwords for SIP over WebSocket', () => {
  let nowMs = 1_800_000_000_000;
  let temporary: Awaited<ReturnType<typeof temporaryStorage>>;
  before(async () => {
    temporary = await temporaryStorage({ nowMs: () => nowMs });
  });
  after(() => temporary.remove());

  function make() {
    const { storage } = temporary;
    const clock = () => nowMs;
    const signed = new SignedTokens(storage.webCalls, clock);
    const credentials = createSipCredentials(signed, storage.apiKeys, clock);
    const tokens = createWebCallTokens({ ...storage, signed, nowMs: clock });
    return { storage, credentials, tokens };
  }

  async function ownersKey() {
    const { storage } = temporary;
    const owner = { workspaceId: DEMO_WORKSPACE_ID, label: 'test', scopes: ['*'] as const };
    return storage.apiKeys.create(newApiKey('live'), owner, nowMs);
  }

  it('are known again by any process, for their time', async () => {
    const key = await ownersKey();
    const { username, password, expiresAtMs } = await make().credentials.mint(key, 'anna', 60);
    assert.equal(expiresAtMs, nowMs + 60_000);
    const identity = await make().credentials.find(username);
    assert.equal(identity?.password, password);
    assert.deepEqual(identity?.owner, { workspaceId: DEMO_WORKSPACE_ID, user: 'anna' });
    nowMs += 60_000;
    assert.equal(await make().credentials.find(username), null);
  });

  it('end with the key that they were given for', async () => {
    const key = await ownersKey();
    const { storage, credentials } = make();
    const { username } = await credentials.mint(key, 'anna', 600);
    assert.notEqual(await credentials.find(username), null);
    await storage.apiKeys.revoke(DEMO_WORKSPACE_ID, key.id, nowMs);
    assert.equal(await credentials.find(username), null);
  });

  it('cannot be made up, nor one be turned into another', async () => {
    const key = await ownersKey();
    const { credentials } = make();
    const { username, password } = await credentials.mint(key, 'anna', 600);
    const other = username.replace('~anna', '~bertha');
    const identity = await credentials.find(other);
    assert.notEqual(identity?.password, password);
    for (const name of ['', 'anna', 'wsc_', `${username}.x`, 'x'.repeat(10_000)]) {
      assert.equal(await credentials.find(name), null);
    }
  });

  it('are the two halves of a token for a web call, and use it up only by a call', async () => {
    const { storage, credentials, tokens } = make();
    const shared = newSharedKey();
    await storage.sharedKeys.create(DEMO_WORKSPACE_ID, DEMO_AGENT.id, shared, nowMs);
    const token = (await tokens.mintWebCallToken(DEMO_AGENT.id, shared)) ?? '';
    const made = await credentials.ofToken(token);
    assert.equal(`${made?.username}.${made?.password}`, token);
    const identity = await credentials.find(made?.username ?? '');
    assert.equal(identity?.password, made?.password);
    assert.equal(identity?.owner, null);
    assert.ok(identity !== null);
    const grant = await tokens.redeemBody(identity.body);
    assert.equal(grant?.agent.id, DEMO_AGENT.id);
    assert.equal(await tokens.redeemWebCallToken(token), null);
    await grant?.giveBack();
    assert.notEqual(await tokens.redeemWebCallToken(token), null);
  });
});
