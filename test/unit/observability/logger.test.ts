import assert from 'node:assert/strict';
import { Writable } from 'node:stream';
import { asAgentId, asCallId, asWorkspaceId } from '../../../src/model/ids.ts';
import { reportEndedCall } from '../../../src/observability/call-ended.ts';
import { createLogger } from '../../../src/observability/logger.ts';
import { createMetrics } from '../../../src/observability/metrics.ts';
import { redactAddress, redactNumber } from '../../../src/observability/redact.ts';
import { newTurn } from '../../support/storage.ts';

const NUMBER = '34612345678';
const SECRET = 'cymru-"secret"/7';
const KEY = 'pk_live_0123456789abcdefghijklmn';
const PLANTED = [NUMBER, '203.0.113.77', '2001:db8:1:2::5', 'joe.doe', SECRET, KEY, 'eyJhbGciOi'];

function collect(pretty: 'always' | 'never') {
  const lines: string[] = [];
  const destination = new Writable({
    write(line, _encoding, done) {
      lines.push(String(line));
      done();
    },
  });
  const log = createLogger({ level: 'trace', pretty, secrets: [SECRET], destination });
  return { log, text: () => lines.join('') };
}

describe('the log', () => {
  for (const pretty of ['never', 'always'] as const) {
    it(`never shows a number, an address, a key or a secret (pretty: ${pretty})`, () => {
      const { log, text } = collect(pretty);
      const cause = new Error(`no route to 203.0.113.77:5060 for tel:${NUMBER}`);
      log.info({ from: `+${NUMBER}`, to: NUMBER, nested: { list: [`+${NUMBER}`, NUMBER] } }, 'a');
      log.warn({ uri: `sip:${NUMBER}@203.0.113.77:5060;transport=tcp` }, 'a');
      log.error({ err: new Error(`call to <sip:+${NUMBER}@203.0.113.77>`, { cause }) }, 'a');
      log.debug(`${NUMBER} called from 2001:db8:1:2::5 and ::ffff:203.0.113.77`);
      log.info({ mail: 'joe.doe@example.org', json: JSON.stringify({ to: NUMBER }) }, 'a');
      log.info({ engine: `drachtio://:${SECRET}@host`, again: SECRET }, 'a');
      log.info({ headers: { authorization: `Bearer ${KEY}` }, url: `/x?key=${KEY}` }, 'a');
      log.info({ authorization: 'Bearer eyJhbGciOi.xyz' }, 'a');
      log.child({ from: `+${NUMBER}` }).info('a');
      log.info({ url: `/call?to=%2B${NUMBER}&n=${NUMBER}` }, 'a');
      for (const planted of PLANTED) {
        assert.equal(text().includes(planted), false, `${planted} in ${text()}`);
      }
      assert.ok(text().includes('34…678'));
      assert.ok(text().includes('call to <sip:+34…678@203.0.113.x>'));
    });
  }

  it('stays JSON, and leaves alone what only looks like a number or address', () => {
    const { log, text } = collect('never');
    const facts = {
      atMs: 1_700_000_000_123,
      list: [1_700_000_000_123, 1_700_000_000_124],
      time: '10:20:30',
      version: '1.2.3',
      local: '127.0.0.1:5060',
      any: '0.0.0.0',
      callId: 'call_Ab34612345678xyz',
      demo: 'sip:demo@127.0.0.1',
    };
    log.info(facts, 'constant sentence');
    const line: unknown = JSON.parse(text());
    assert.ok(typeof line === 'object' && line !== null && 'msg' in line);
    assert.equal(line.msg, 'constant sentence');
    assert.deepEqual({ ...line, ...facts }, line);
  });

  it('says a call ended in one line, with every delay and no text of the call', async () => {
    const { log, text } = collect('never');
    const metrics = createMetrics();
    const turn = newTurn(2, { text: 'my secret diagnosis' });
    reportEndedCall(
      {
        callId: asCallId('call_1'),
        workspaceId: asWorkspaceId('ws_demo'),
        agentId: asAgentId('agt_demo'),
        direction: 'inbound',
        door: 'trunk',
        fromNumber: `+${NUMBER}`,
        toNumber: 'demo',
        startedAtMs: 1000,
        answeredAtMs: 1250,
        endedAtMs: 61_250,
        reason: 'provider-failed',
        sipStatus: null,
        detail: null,
        report: null,
        turns: [
          turn,
          { ...turn, stamps: { ...turn.stamps, speechEndedAtMs: 100, playoutStartedAtMs: 320 } },
        ],
      },
      log,
      metrics,
    );
    const line: Record<string, unknown> = JSON.parse(text());
    assert.equal(line.msg, 'call ended');
    assert.equal(line.blame, 'provider');
    assert.equal(line.setupMs, 250);
    assert.equal(line.talkMs, 60_000);
    assert.deepEqual(line.replies, { count: 1, medianMs: 220, worstMs: 220 });
    assert.equal(text().includes('diagnosis'), false);
    assert.equal(text().includes(NUMBER), false);
    assert.match(
      await metrics.text(),
      /trunkline_calls_ended_total\{direction="inbound",reason="provider-failed",blame="provider"\} 1/,
    );
  });
});

describe('redaction', () => {
  it('keeps the ends of a number and hides what is too short', () => {
    assert.equal(redactNumber('+34612345678'), '+34…678');
    assert.equal(redactNumber('112'), '…');
    assert.equal(redactNumber('anonymous'), 'an…ous');
  });

  it('keeps the network of an address', () => {
    assert.equal(redactAddress('203.0.113.9'), '203.0.113.x');
    assert.equal(redactAddress('127.0.0.1'), '127.0.0.1');
    assert.equal(redactAddress('2001:db8:1:2::5'), '2001:db8:1::x');
    assert.equal(redactAddress('fe80::1'), 'fe80::x');
  });
});

describe('the metrics', () => {
  it('name base units and take labels from closed lists', async () => {
    const metrics = createMetrics({ withProcess: true });
    metrics.httpRequest('BREW', 418, 0.01);
    metrics.observe({ callsLive: () => 7 });
    const text = await metrics.text();
    assert.match(text, /trunkline_http_request_seconds_count\{method="other",status="4xx"\} 1/);
    assert.match(text, /^trunkline_calls_live 7$/m);
    const names = [...text.matchAll(/^# TYPE (trunkline_\w+) (\w+)$/gm)];
    assert.ok(names.length > 10);
    for (const [, name = '', type] of names) {
      if (type === 'counter') assert.match(name, /_total$/);
      if (type === 'histogram') assert.match(name, /_seconds$/);
    }
  });

  it('are separate for two daemons in one process', async () => {
    const [one, two] = [createMetrics(), createMetrics()];
    one.workerCrashed();
    assert.match(await one.text(), /trunkline_worker_crashes_total 1/);
    assert.match(await two.text(), /trunkline_worker_crashes_total 0/);
  });
});
