import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { CallPhone } from '../../support/call-phone.ts';
import { Gateway } from '../../support/gateway.ts';
import { hasProgram } from '../../support/mocha-setup.ts';
import {
  makeNamespace,
  needsNamespaces,
  type NetworkNamespace,
} from '../../support/network-namespace.ts';

const LONG =
  'Please wait, and listen to this while the others knock at the door. One, two, three, four, five, ' +
  'six, seven, eight, nine, ten, eleven, twelve, thirteen, fourteen, fifteen, sixteen, seventeen, ' +
  'eighteen, nineteen, twenty, and so on, until all of them have gone away again.';

describe('a live call while its daemon is attacked from another network', function () {
  this.timeout(90_000);
  let namespace: NetworkNamespace | undefined;
  let gateway: Gateway;
  let phone: CallPhone;
  let id: string;
  let mediaPort: number;

  before(async function () {
    needsNamespaces(this);
    namespace = makeNamespace();
    gateway = await Gateway.start({
      env: {
        TRUNKLINE_SIP_HOST: '0.0.0.0',
        // What comes from there is judged, not dropped unread.
        TRUNKLINE_SIP_ALLOWED_SOURCES: namespace.there,
        TRUNKLINE_MEDIA_HOST: '0.0.0.0',
        TRUNKLINE_MEDIA_EXTERNAL_ADDRESS: '127.0.0.1',
      },
    });
    await gateway.changeAgent({ greeting_text: 'Hello.', idle_after_ms: 60_000 });
  });
  after(async () => {
    await gateway?.stop();
    namespace?.remove();
  });
  beforeEach(async () => {
    phone = await CallPhone.open(gateway.sipPort);
    const answer = await phone.dial({ user: 'demo' });
    assert.equal(answer.status, 200);
    mediaPort = Number(/^m=audio (\d+)/m.exec(answer.body)?.[1]);
    ({ call_id: id } = await gateway.nextCall());
    await gateway.callWhen(id, 'greeted', (_, turns) => turns.length > 0);
  });
  afterEach(() => phone.close());

  /** Runs a program over there, for so long at most. */
  async function attack(program: string, args: readonly string[], withinMs: number): Promise<void> {
    const command = ['netns', 'exec', namespace?.name ?? '', program, ...args];
    const child = spawn('ip', command, { stdio: 'ignore' });
    const timer = setTimeout(() => child.kill('SIGKILL'), withinMs);
    await once(child, 'exit');
    clearTimeout(timer);
  }

  /** The agent speaks throughout, and every packet of it comes; then the keypad is understood. */
  async function unharmedBy(attacked: () => Promise<void>): Promise<void> {
    const from = phone.media.arrivals.length;
    const said = await gateway.api(`/v1/calls/${id}/say`, {
      method: 'POST',
      headers: { 'content-type': 'application/json' },
      body: JSON.stringify({ text: LONG }),
    });
    assert.ok(said.ok);
    await phone.media.nextSound();
    await attacked();
    const numbers = phone.media.arrivals.slice(from).map(({ sequenceNumber }) => sequenceNumber);
    const gaps = numbers.filter(
      (number, at) => at > 0 && number !== (((numbers[at - 1] ?? 0) + 1) & 0xffff),
    );
    assert.ok(numbers.length > 100, `${numbers.length}`);
    assert.deepEqual(gaps, [], 'no packet of the agent is missing');
    await phone.press('5');
    await gateway.callWhen(id, 'understood', (_, turns) =>
      turns.some(({ via, text }) => via === 'digits' && text.includes('5')),
    );
    assert.equal((await phone.hangUp()).status, 200);
    assert.equal((await gateway.endOf(id)).end_reason, 'caller-hung-up');
  }

  it('is unharmed by a thousand calls a second', async function () {
    if (!hasProgram('sipp')) this.skip();
    const target = `${namespace?.here}:${gateway.sipPort}`;
    const calls = ['-sn', 'uac', '-r', '1000', '-m', '4000', '-l', '4000', '-timeout', '4s'];
    await unharmedBy(() => attack('sipp', [target, ...calls, '-i', namespace?.there ?? ''], 8_000));
    assert.ok((await gateway.metric('trunkline_sip_events', /rejectedCallRate/)) > 100);
  });

  it('is unharmed by a scanner', async function () {
    if (!hasProgram('svmap')) this.skip();
    const { here = '' } = namespace ?? {};
    await unharmedBy(() => attack('svmap', ['-p', String(gateway.sipPort), here], 8_000));
  });

  it('is unharmed by audio of a stranger at its port', async () => {
    const flood = `
      const socket = require('node:dgram').createSocket('udp4');
      let sent = 0;
      const next = () => {
        for (let at = 0; at < 20; at += 1, sent += 1) {
          const packet = Buffer.alloc(172, 0x55);
          packet[0] = 0x80; packet[1] = 0;
          packet.writeUInt16BE(sent & 0xffff, 2); packet.writeUInt32BE(sent * 160, 4);
          packet.writeUInt32BE(0xbadcafe, 8);
          socket.send(packet, ${mediaPort}, '${namespace?.here}');
        }
        if (sent >= 20000) socket.close(); else setTimeout(next, 2);
      };
      next();`;
    await unharmedBy(() => attack(process.execPath, ['-e', flood], 8_000));
    const { media } = await gateway.call(id);
    assert.ok((media?.packets_from_strangers ?? 0) > 1000, JSON.stringify(media));
  });
});
