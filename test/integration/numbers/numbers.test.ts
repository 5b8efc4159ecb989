import assert from 'node:assert/strict';
import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { CallPhone } from '../../support/call-phone.ts';
import { type CarrierCall, FakeCarrier, first } from '../../support/fake-carrier.ts';
import { Gateway } from '../../support/gateway.ts';
import { temporaryFolder } from '../../support/temporary-folder.ts';

const FILE_NUMBER = '+34911000001';
const NUMBER = '+34911000002';
const SPARE = '+34911000003';
const CALLEE = '+34955666777';

describe('telephone numbers', function () {
  this.timeout(60_000);
  let carrier: FakeCarrier;
  let gateway: Gateway;
  let folder: Awaited<ReturnType<typeof temporaryFolder>>;
  let tenant: { id: string; key: string; agent: string };

  before(async () => {
    [carrier, folder] = await Promise.all([FakeCarrier.listen(), temporaryFolder()]);
    const configFile = join(folder.path, 'trunkline.yaml');
    const trunk = [
      'trunks:',
      '  - name: north',
      `    hosts: ["127.0.0.1:${carrier.port}"]`,
      '    transport: udp',
      '    outbound_prefixes: ["+34"]',
      '    country: ES',
      '    codecs: [pcma]',
      '    agent: agt_demo',
      '    calls_per_second: 100',
      '    caller_id_number: "+34911000009"',
      `    numbers: { "${FILE_NUMBER}": agt_demo }`,
      '',
    ];
    await writeFile(configFile, trunk.join('\n'));
    gateway = await Gateway.start({ env: { TRUNKLINE_CONFIG: configFile } });
    const { answer } = await ask('POST', '/v1/workspaces', { name: 'Tenant' });
    const key = answer.key.key;
    const agent = await ask('POST', '/v1/agents', { display_name: 'T', greeting_text: 'Hi.' }, key);
    tenant = { id: answer.workspace.id, key, agent: agent.answer.agent_id };
  });
  after(async () => {
    await gateway?.stop();
    await carrier?.close();
    await folder?.remove();
  });

  async function ask(method: string, path: string, body?: object, key = gateway.adminKey) {
    const response = await fetch(`${gateway.httpUrl}${path}`, {
      method,
      headers: {
        authorization: `Bearer ${key}`,
        ...(body === undefined ? {} : { 'content-type': 'application/json' }),
      },
      ...(body === undefined ? {} : { body: JSON.stringify(body) }),
    });
    const text = await response.text();
    return { status: response.status, answer: text === '' ? {} : JSON.parse(text) };
  }
  const assign = (body: object) => ask('POST', '/v1/numbers', { workspace_id: tenant.id, ...body });
  /** Who answers a call by the trunk: the agent's id, or the status that refuses it. */
  const answeredBy = async (user: string) => {
    let status: number | null = 503;
    // A daemon on a busy machine refuses calls for a while.
    for (let n = 0; status === 503 && n < 20; n += 1) {
      const phone = await CallPhone.open(gateway.sipPort, { codec: 'pcma' });
      ({ status } = await phone.dial({ user }));
      if (status === 200) await phone.hangUp();
      phone.close();
      if (status === 503) await new Promise((resolve) => setTimeout(resolve, 500));
    }
    if (status !== 200) return status;
    // The row of an answered call may be a moment behind its answer.
    for (const deadline = Date.now() + 10_000; Date.now() < deadline; ) {
      for (const key of [gateway.adminKey, tenant.key]) {
        const { calls } = (await ask('GET', '/v1/calls?page_size=1', undefined, key)).answer;
        if (calls[0]?.to_number === user) return calls[0].agent_id;
      }
      await new Promise((resolve) => setTimeout(resolve, 50));
    }
    return assert.fail('no workspace has the call');
  };

  it('are given by the operator to one workspace each, whose owner says who answers', async () => {
    const made = await assign({ e164: NUMBER, trunk: 'north', agent_id: tenant.agent });
    assert.equal(made.status, 201);
    assert.match(made.answer.number_id, /^num_/);
    assert.deepEqual(
      [made.answer.e164, made.answer.workspace_id, made.answer.agent_id, made.answer.channels],
      [NUMBER, tenant.id, tenant.agent, ['voice']],
    );
    assert.equal((await assign({ e164: NUMBER })).status, 409);
    assert.equal((await ask('POST', '/v1/numbers', { e164: NUMBER })).status, 409);
    assert.equal((await assign({ e164: SPARE, trunk: 'none' })).status, 404);
    assert.equal((await assign({ e164: SPARE, agent_id: 'agt_demo' })).status, 404);
    assert.equal((await assign({ e164: '911000003' })).status, 400);
    const claimed = await ask('POST', '/v1/numbers', { e164: SPARE }, tenant.key);
    assert.equal(claimed.status, 403);

    const mine = (await ask('GET', '/v1/numbers', undefined, tenant.key)).answer.numbers;
    assert.deepEqual(mine, [made.answer]);
    assert.deepEqual((await ask('GET', '/v1/numbers')).answer.numbers, []);
    assert.equal((await ask('GET', '/v1/numbers?workspace_id=*')).answer.numbers.length, 1);
    const spied = await ask('GET', '/v1/numbers?workspace_id=ws_demo', undefined, tenant.key);
    assert.equal(spied.status, 403);
    const path = `/v1/numbers/${made.answer.number_id}`;
    assert.equal((await ask('GET', path)).status, 404, 'not of the operator himself');
    assert.equal((await ask('DELETE', path, undefined, tenant.key)).status, 403);
  });

  it('reach their agent after those of the file, and before the default of the trunk', async () => {
    assert.equal(await answeredBy(NUMBER), tenant.agent);
    assert.equal(await answeredBy(FILE_NUMBER), 'agt_demo');
    assert.equal(await answeredBy(SPARE), 'agt_demo', 'the default of the trunk');
  });

  it('reach nobody while no agent has them, and not the agent of somebody else', async () => {
    const [number] = (await ask('GET', '/v1/numbers', undefined, tenant.key)).answer.numbers;
    const path = `/v1/numbers/${number.number_id}`;
    const change = (body: object) => ask('PATCH', path, body, tenant.key);
    assert.equal((await change({ agent_id: null })).answer.agent_id, null);
    assert.equal(await answeredBy(NUMBER), 404);
    assert.equal((await change({ agent_id: 'agt_demo' })).status, 404);
    const named = await change({ agent_id: tenant.agent, friendly_name: 'Front desk' });
    assert.equal(named.answer.friendly_name, 'Front desk');
    assert.equal((await change({ friendly_name: 'Desk' })).answer.agent_id, tenant.agent);
    assert.equal(await answeredBy(NUMBER), tenant.agent);
  });

  it('are whom their outbound agent calls as, and no other workspace may', async () => {
    const fromOf = async (body: object, key = tenant.key) => {
      const invited = new Promise<CarrierCall>((resolve) => {
        carrier.onInvite = resolve;
      });
      const call = { agent_id: tenant.agent, to_number: CALLEE, ...body };
      const { status, answer } = await ask('POST', '/v1/calls', call, key);
      if (status !== 201) return answer.error_code;
      const carrierCall = await invited;
      carrierCall.respond(486);
      return /sip:(\+\d+)@/.exec(first(carrierCall.invite, 'from'))?.[1];
    };
    assert.equal(await fromOf({}), '+34911000009', "the trunk's own");
    assert.equal(await fromOf({ from_number: NUMBER }), NUMBER);
    const other = { agent_id: 'agt_demo', from_number: NUMBER };
    assert.equal(await fromOf(other, gateway.adminKey), 'CALLER_ID_NOT_ALLOWED');
    const [number] = (await ask('GET', '/v1/numbers', undefined, tenant.key)).answer.numbers;
    const path = `/v1/numbers/${number.number_id}`;
    await ask('PATCH', path, { outbound_agent_id: tenant.agent }, tenant.key);
    assert.equal(await fromOf({}), NUMBER);
  });

  it('are taken back by the operator, and forget an agent that is deleted', async () => {
    const made = await assign({ e164: SPARE, agent_id: tenant.agent });
    const path = `/v1/numbers/${made.answer.number_id}`;
    await ask('DELETE', `/v1/agents/${tenant.agent}`, undefined, tenant.key);
    assert.equal((await ask('GET', path, undefined, tenant.key)).answer.agent_id, null);
    assert.equal((await ask('DELETE', path)).status, 204);
    assert.equal((await ask('DELETE', path)).status, 404);
    assert.equal((await assign({ e164: SPARE })).status, 201, 'and can be given again');
  });
});
