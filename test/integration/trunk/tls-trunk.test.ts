import assert from 'node:assert/strict';
import { once } from 'node:events';
import { copyFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { connect, type TLSSocket } from 'node:tls';
import { writeWav } from '../../support/audio.ts';
import { Baresip, hasBaresip } from '../../support/baresip.ts';
import { needsOpenssl, TestAuthority, type TestCertificate } from '../../support/certificates.ts';
import {
  CARRIER_SDP,
  type CarrierCall,
  type CarrierMessage,
  FakeCarrier,
  first,
} from '../../support/fake-carrier.ts';
import { freeTcpPort } from '../../support/free-port.ts';
import { Gateway } from '../../support/gateway.ts';
import { temporaryFolder } from '../../support/temporary-folder.ts';

const NUMBER = '+34911222333';

interface ShownTrunk {
  readonly name: string;
  readonly is_up: boolean;
  readonly last_probe: { readonly reason: string } | null;
  readonly registration: {
    readonly is_registered: boolean;
    readonly registrar: string | null;
    readonly last_answer: { readonly sip_status: number; readonly reason: string } | null;
  };
}

describe('a daemon with trunks by TLS', function () {
  this.timeout(60_000);
  let authority: TestAuthority;
  let stranger: TestAuthority;
  let own: TestCertificate;
  let folder: Awaited<ReturnType<typeof temporaryFolder>>;
  let gateway: Gateway;
  let tlsPort: number;
  const carriers = new Map<string, FakeCarrier>();

  before(async function () {
    needsOpenssl(this);
    [authority, stranger] = [new TestAuthority(), new TestAuthority()];
    own = authority.issue(['DNS:gateway.test', 'IP:127.0.0.1']);
    folder = await temporaryFolder();
    tlsPort = await freeTcpPort();
    const certificates: Record<string, TestCertificate> = {
      north: authority.issue(['URI:sip:carrier.test']),
      'wrong-name': authority.issue(['DNS:other.test', 'URI:sip:other.test']),
      expired: authority.issue(['DNS:carrier.test'], -1),
      stranger: stranger.issue(['DNS:carrier.test']),
      unverified: stranger.issue(['DNS:other.test']),
    };
    const items: string[] = [];
    const add = (name: string, port: number, more: readonly string[] = []) =>
      items.push(
        `  - name: ${name}`,
        `    hosts: ["127.0.0.1:${port}"]`,
        '    transport: tls',
        '    domain: carrier.test',
        '    username: ann',
        '    password: secret-of-ann',
        '    register: true',
        '    options_seconds: 1',
        `    tls_ca_file: ${authority.caFile}`,
        ...more,
      );
    for (const [name, certificate] of Object.entries(certificates)) {
      const carrier = await FakeCarrier.listen();
      carrier.rules.password = 'secret-of-ann';
      carriers.set(name, carrier);
      const more =
        name === 'north'
          ? [
              '    keep_alive_seconds: 1',
              '    outbound_prefixes: ["+34"]',
              `    numbers: { "${NUMBER}": agt_demo }`,
            ]
          : name === 'unverified'
            ? ['    tls_verify: false']
            : [];
      add(name, await carrier.listenTls(certificate), more);
    }
    add('refused', await freeTcpPort());
    const file = join(folder.path, 'trunkline.yaml');
    await writeFile(file, ['trunks:', ...items, ''].join('\n'));
    await copyFile(own.certFile, join(folder.path, 'own.pem'));
    await copyFile(own.keyFile, join(folder.path, 'own.key'));
    gateway = await Gateway.start({
      env: {
        TRUNKLINE_CONFIG: file,
        TRUNKLINE_SIP_TLS_PORT: String(tlsPort),
        TRUNKLINE_SIP_TLS_CERT_FILE: join(folder.path, 'own.pem'),
        TRUNKLINE_SIP_TLS_KEY_FILE: join(folder.path, 'own.key'),
      },
    });
  });
  after(async () => {
    await gateway?.stop();
    for (const carrier of carriers.values()) await carrier.close();
    await folder?.remove();
    authority?.remove();
    stranger?.remove();
  });

  const north = () => carriers.get('north') ?? assert.fail('there is no carrier');
  const whenTrunk = async (name: string, holds: (shown: ShownTrunk) => boolean) => {
    const deadline = Date.now() + 20_000;
    for (;;) {
      const body = (await (await gateway.api('/v1/trunks')).json()) as { trunks: ShownTrunk[] };
      const shown = body.trunks.find((trunk) => trunk.name === name);
      assert.ok(shown);
      if (holds(shown)) return shown;
      assert.ok(Date.now() < deadline, JSON.stringify(shown));
      await delay(50);
    }
  };
  const invite = (port: number, callId: string) =>
    [
      `INVITE sip:${NUMBER}@127.0.0.1:${tlsPort};transport=tls SIP/2.0`,
      `Via: SIP/2.0/TLS 127.0.0.1:${port};branch=z9hG4bK-${callId};rport`,
      'Max-Forwards: 70',
      'From: <sip:+34600000001@carrier.test>;tag=theirs',
      `To: <sip:${NUMBER}@carrier.test>`,
      `Call-ID: ${callId}`,
      'CSeq: 1 INVITE',
      `Contact: <sip:carrier@127.0.0.1:${port};transport=tls>`,
      'Content-Type: application/sdp',
      `Content-Length: ${Buffer.byteLength(CARRIER_SDP)}`,
      '',
      CARRIER_SDP,
    ].join('\r\n');

  it('registers where the certificate bears the domain as a sip URI (RFC 5922)', async () => {
    const shown = await whenTrunk('north', ({ is_up: isUp }) => isUp);
    assert.match(shown.registration.registrar ?? '', /^tls\/127\.0\.0\.1:/);
    const register = await north().request('REGISTER');
    assert.equal(register.transport, 'tls');
    assert.match(first(register, 'via'), /^SIP\/2\.0\/TLS /);
    assert.match(first(register, 'contact'), new RegExp(`:${tlsPort};transport=tls>`));
    if (north().keepAlives.length === 0) await once(north(), 'keep-alive');
    assert.equal(north().keepAlives[0], 'tls');
    assert.equal(north().connectionCount, 1, 'one connection for REGISTER, OPTIONS, keep-alives');
  });

  for (const [name, why] of [
    ['wrong-name', 'the certificate is for another name'],
    ['expired', 'the certificate has expired'],
    ['stranger', 'unknown issuer of the certificate'],
    ['refused', 'connection refused'],
  ] as const) {
    it(`does not register, and says: ${why}`, async () => {
      const shown = await whenTrunk(
        name,
        ({ registration, last_probe: probe }) =>
          registration.last_answer !== null && probe !== null && probe.reason !== '',
      );
      assert.deepEqual(
        [shown.registration.last_answer?.sip_status, shown.registration.last_answer?.reason],
        [0, why],
      );
      assert.equal(shown.last_probe?.reason, why);
      assert.equal(shown.registration.is_registered, false);
      assert.equal(carriers.get(name)?.count('REGISTER') ?? 0, 0, 'nothing was said to it');
    });
  }

  it('registers with whoever answers where its owner switched verification off', async () => {
    const shown = await whenTrunk('unverified', ({ registration }) => registration.is_registered);
    assert.equal(shown.registration.is_registered, true);
  });

  it('calls out over the connection it has, and is hung up by the carrier there', async () => {
    const invited = new Promise<CarrierCall>((resolve) => (north().onInvite = resolve));
    const response = await gateway.api('/v1/calls', {
      method: 'POST',
      headers: { 'content-type': 'application/json' },
      body: JSON.stringify({ agent_id: 'agt_demo', to_number: '+34955666777' }),
    });
    assert.equal(response.status, 201, await response.clone().text());
    const call = await invited;
    assert.equal(call.invite.transport, 'tls');
    assert.match(first(call.invite, 'contact'), new RegExp(`:${tlsPort};transport=tls>`));
    call.answer();
    if (call.acks.length === 0) await once(call, 'ack');
    assert.equal((await call.request('BYE')).status, 200);
    assert.equal(north().connectionCount, 1);
  });

  it('is called over the connection that it made', async () => {
    const answered = new Promise<CarrierMessage>((resolve) => {
      north().onStray = (message) => {
        if (message.status === 200) resolve(message);
      };
    });
    north().sendByConnection(invite(5061, 'over-theirs'));
    assert.match((await answered).body, /^v=0/);
  });

  const dialUs = async (): Promise<TLSSocket> => {
    const socket = connect({
      host: '127.0.0.1',
      port: tlsPort,
      ca: authority.ca,
      servername: 'gateway.test',
    });
    await once(socket, 'secureConnect');
    return socket;
  };
  const heard = async (socket: TLSSocket, wanted: RegExp): Promise<string> => {
    let text = '';
    for await (const data of socket) {
      text += String(data);
      if (wanted.test(text)) return text;
    }
    return assert.fail(`closed after: ${text}`);
  };

  it('is called over a connection of the carrier, which checks our certificate', async () => {
    const socket = await dialUs();
    socket.write(invite(socket.localPort ?? 0, 'over-ours'));
    const text = await heard(socket, /SIP\/2\.0 200[^]*\r\n\r\nv=0/);
    assert.match(text, new RegExp(`Contact: <sip:127\\.0\\.0\\.1:${tlsPort};transport=tls>`));
    socket.destroy();
  });

  it('is called by baresip over TLS', async function () {
    if (!hasBaresip()) {
      process.stderr.write('skipped: needs the Debian package baresip-core\n');
      this.skip();
    }
    const speechFile = join(folder.path, 'silence.wav');
    writeWav(speechFile, { samples: new Int16Array(8 * 20_000), sampleRateHz: 8000 });
    const { caFile } = authority;
    const phone = await Baresip.start({
      speechFile,
      codec: 'PCMU/8000/1',
      sampleRateHz: 8000,
      caFile,
    });
    try {
      phone.dial(`sip:demo@127.0.0.1:${tlsPort};transport=tls`);
      await phone.event('CALL_ESTABLISHED');
      phone.hangUp();
      await phone.event('CALL_CLOSED');
    } finally {
      await phone.stop();
      await phone.remove();
    }
  });

  it('shows a new certificate after SIGHUP, and keeps the old one when the new is no use', async () => {
    const show = async () => {
      const socket = await dialUs();
      const { fingerprint256 } = socket.getPeerCertificate();
      socket.destroy();
      return fingerprint256;
    };
    const before = await show();
    await writeFile(join(folder.path, 'own.pem'), 'no certificate');
    gateway.process.kill('SIGHUP');
    await gateway.line(/the TLS certificate was not reloaded/);
    assert.equal(await show(), before);
    const next = authority.issue(['DNS:gateway.test']);
    await copyFile(next.certFile, join(folder.path, 'own.pem'));
    await copyFile(next.keyFile, join(folder.path, 'own.key'));
    gateway.process.kill('SIGHUP');
    for (const deadline = Date.now() + 10_000; (await show()) === before; ) {
      assert.ok(Date.now() < deadline, 'the old certificate is still shown');
      await delay(50);
    }
  });

  it('connects anew when the carrier has cut the connection', async () => {
    const options = north().count('OPTIONS');
    north().disconnect();
    await north().request('OPTIONS', options + 2);
    assert.equal((await whenTrunk('north', ({ is_up: isUp }) => isUp)).is_up, true);
  });
});
