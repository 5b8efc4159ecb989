import assert from 'node:assert/strict';
import { type ChildProcess, spawn, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { existsSync } from 'node:fs';
import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';
import { connectSipEngine, type SipSignaling } from '../../../src/signaling/sip-engine-client.ts';
import type { SipInvite } from '../../../src/signaling/sip-leg.ts';
import type { GuardAlarm } from '../../../src/sip-engine/guard/source-guard.ts';
import { type RunningSipEngine, startSipEngine } from '../../../src/sip-engine/sip-engine.ts';
import { Inbox, LegOwner } from '../../support/leg-owner.ts';
import { SipPhone } from '../../support/sip-phone.ts';

const SDP =
  'v=0\r\no=- 1 1 IN IP4 127.0.0.1\r\ns=-\r\nc=IN IP4 127.0.0.1\r\nt=0 0\r\nm=audio 9 RTP/AVP 0\r\n';
const QUIET = { info: () => {}, warn: () => {}, error: () => {} };
const NETWORK = `10.213.${process.pid % 250}`;
const [OURS, THEIRS] = [`${NETWORK}.1`, `${NETWORK}.2`];
const NAMESPACE = `tl-${process.pid}`;
const PACKETS = 20_000;

/** A network of our own, from which strangers attack; false: this machine does not let us. */
function openNamespace(): boolean {
  const commands = [
    `netns add ${NAMESPACE}`,
    `link add tla-${process.pid} type veth peer name tlb-${process.pid}`,
    `link set tlb-${process.pid} netns ${NAMESPACE}`,
    `addr add ${OURS}/24 dev tla-${process.pid}`,
    `link set tla-${process.pid} up`,
    `-n ${NAMESPACE} addr add ${THEIRS}/24 dev tlb-${process.pid}`,
    `-n ${NAMESPACE} link set tlb-${process.pid} up`,
    `-n ${NAMESPACE} link set lo up`,
  ];
  return commands.every(
    (command) => spawnSync('ip', command.split(' '), { stdio: 'ignore' }).status === 0,
  );
}

function closeNamespace(): void {
  spawnSync('ip', ['link', 'del', `tla-${process.pid}`], { stdio: 'ignore' });
  spawnSync('ip', ['netns', 'del', NAMESPACE], { stdio: 'ignore' });
}

/** Runs a program inside, and gives what it wrote. */
async function inside(args: readonly string[], timeoutMs = 15_000): Promise<string> {
  const child: ChildProcess = spawn('ip', ['netns', 'exec', NAMESPACE, ...args], {
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  let text = '';
  child.stdout?.on('data', (data: Buffer) => (text += data.toString()));
  child.stderr?.on('data', (data: Buffer) => (text += data.toString()));
  const timer = setTimeout(() => child.kill('SIGTERM'), timeoutMs);
  await once(child, 'close');
  clearTimeout(timer);
  return text;
}

/** Sends so many datagrams, paced by the system's own queue, and says how many were answered. */
const flood = (port: number, packet: string, count: number) =>
  inside([
    process.execPath,
    '-e',
    `const s = require('dgram').createSocket('udp4');
     let answers = 0, sent = 0;
     s.on('message', () => answers += 1);
     const next = () => {
       if (sent >= ${count}) return setTimeout(() => { console.log('answers=' + answers); s.close(); }, 300);
       for (let i = 0; i < 50 && sent < ${count}; i += 1) {
         const text = ${JSON.stringify(packet)}.replaceAll('#', String(sent += 1));
         s.send(text, ${port}, '${OURS}');
       }
       setTimeout(next, 2);
     };
     s.bind(0, next);`,
  ]);

function collectGarbage(): void {
  setFlagsFromString('--expose-gc');
  const gc: unknown = runInNewContext('gc');
  if (typeof gc === 'function') gc();
}

describe('an attack from another network', function () {
  this.timeout(60_000);
  let engine: RunningSipEngine;
  let signaling: SipSignaling;
  let port: number;
  const alarms: GuardAlarm[] = [];
  let invites: Inbox<SipInvite>;
  let floodCalls = 0;
  before(async function () {
    if (process.platform !== 'linux' || !openNamespace()) {
      closeNamespace();
      process.stderr.write('skipped: no network namespace may be made here (needs root)\n');
      this.skip();
    }
  });
  beforeEach(async () => {
    alarms.length = 0;
    invites = new Inbox();
    floodCalls = 0;
    engine = await startSipEngine({
      host: '0.0.0.0',
      port: 0,
      secret: 'tests',
      allowSource: (address) => address === THEIRS,
      onAlarm: (alarm) => alarms.push(alarm),
    });
    port = engine.listening[0]?.port ?? 0;
    signaling = connectSipEngine({
      ...engine.admin,
      secret: 'tests',
      onInvite: (invite) => {
        if (invite.sourceAddress !== THEIRS) return invites.put(invite);
        floodCalls += 1;
        invite.refuse(486);
      },
      log: QUIET,
    });
    await signaling.whenConnected();
  });
  afterEach(async () => {
    await signaling.close();
    await engine.close();
  });
  after(() => closeNamespace());

  /** A call on loopback that has not ended when the attack is over, and can be hung up. */
  const withLiveCall = async (attack: () => Promise<void>) => {
    const phone = await SipPhone.open(port);
    const owner = new LegOwner(
      () => SDP,
      async () => ({ type: 'refuse', status: 488 }),
    );
    try {
      const calling = phone.invite({ user: 'demo', sdp: SDP });
      const leg = await (await invites.next()).answer(SDP, owner);
      assert.equal((await calling).status, 200);
      await attack();
      assert.deepEqual(owner.ends.all, []);
      await leg.hangUp();
    } finally {
      phone.close();
    }
  };

  it('with malformed messages is ignored soon, while a call on loopback goes on', async () => {
    collectGarbage();
    const before = process.memoryUsage();
    await withLiveCall(async () => {
      const text = await flood(port, 'INVITE sip:x SIP/2.0\r\nVia: broken #\r\n\r\n', PACKETS);
      assert.match(text, /answers=0/);
    });
    const stats = engine.stats();
    assert.equal(stats.bans, 1);
    assert.equal(stats.malformed, 50);
    assert.ok(stats.droppedBanned > 1000, String(stats.droppedBanned));
    assert.deepEqual(
      alarms.map(({ source, why }) => `${source} ${why}`),
      [`${THEIRS} malformed`],
    );
    collectGarbage();
    const after = process.memoryUsage();
    const grownBytes = after.heapUsed - before.heapUsed;
    process.stderr.write(
      `      heap ${(grownBytes / 1e6).toFixed(1)} MB, RSS ${((after.rss - before.rss) / 1e6).toFixed(1)} MB more after ${PACKETS} packets\n`,
    );
    assert.ok(grownBytes < 20e6, `${grownBytes} octets of heap more`);
    assert.ok(stats.guardEntries <= 4, String(stats.guardEntries));
  });

  it('with INVITEs of new calls is answered 503, then ignored, and leaves nothing behind', async () => {
    await withLiveCall(async () => {
      const packet = [
        'INVITE sip:demo@x SIP/2.0',
        `Via: SIP/2.0/UDP ${THEIRS}:5060;branch=z9hG4bK#;rport`,
        'From: <sip:a@b>;tag=#',
        'To: <sip:demo@x>',
        'Call-ID: flood-#',
        'CSeq: 1 INVITE',
        `Contact: <sip:a@${THEIRS}>`,
        'Content-Length: 0\r\n\r\n',
      ].join('\r\n');
      await flood(port, packet, 5000);
    });
    const stats = engine.stats();
    assert.ok(stats.rejectedCallRate >= 1000, String(stats.rejectedCallRate));
    assert.deepEqual(
      alarms.map(({ why }) => why),
      ['flood'],
    );
    // At most what a source may send at once, and per second of the flood.
    assert.ok(floodCalls < 2000, String(floodCalls));
  });

  it('by sipvicious finds nobody', async function () {
    if (!existsSync('/usr/bin/svmap') && spawnSync('svmap', ['--version']).error !== undefined) {
      process.stderr.write('skipped: sipvicious is not installed (apt-get install sipvicious)\n');
      this.skip();
    }
    await withLiveCall(async () => {
      const found = await inside(['svmap', '-p', String(port), OURS]);
      assert.doesNotMatch(found, new RegExp(`${OURS}:${port}`), found);
      const users = await inside([
        'svwar',
        '-p',
        String(port),
        '-e',
        '100-120',
        '-m',
        'INVITE',
        OURS,
      ]);
      assert.doesNotMatch(users, /reqauth|noauth/, users);
    });
    const stats = engine.stats();
    assert.ok(stats.scanners >= 1, JSON.stringify(stats));
    assert.equal(stats.bans, 1);
    assert.deepEqual(
      alarms.map(({ why }) => why),
      ['scanner'],
    );
  });

  it('by SIPp with hundreds of calls at once leaves the live call alone', async function () {
    if (spawnSync('sipp', ['-v'], { stdio: 'ignore' }).error !== undefined) {
      process.stderr.write('skipped: SIPp is not installed (apt-get install sip-tester)\n');
      this.skip();
    }
    await withLiveCall(async () => {
      const args = ['-sn', 'uac', '-r', '1000', '-m', '3000', '-l', '3000', '-i', THEIRS];
      await inside(['sipp', `${OURS}:${port}`, ...args, '-timeout', '4s'], 8_000);
    });
    const { rejectedCallRate, serverTransactions } = engine.stats();
    assert.ok(rejectedCallRate > 100, String(rejectedCallRate));
    assert.ok(serverTransactions < 3000, String(serverTransactions));
  });
});
