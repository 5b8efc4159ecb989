import assert from 'node:assert/strict';
import { Gateway } from '../../support/gateway.ts';
import { BrowserAgent } from '../sip-engine/browser-agent.ts';

const SDP =
  'v=0\r\no=- 1 1 IN IP4 127.0.0.1\r\ns=-\r\nc=IN IP4 127.0.0.1\r\nt=0 0\r\nm=audio 9 RTP/AVP 0\r\n';

function request(method: string, via = 'WS'): string[] {
  return [
    `${method} sip:demo@127.0.0.1 SIP/2.0`,
    `Via: SIP/2.0/${via} a1b2c3.invalid;branch=z9hG4bK${method}${via}`,
    'Max-Forwards: 70',
    'From: <sip:ann@127.0.0.1>;tag=from1',
    'To: <sip:demo@127.0.0.1>',
    `Call-ID: ${method}-${via}`,
    `CSeq: 1 ${method}`,
    'Contact: <sip:k3s9@a1b2c3.invalid;transport=ws>',
    ...(method === 'INVITE' ? ['Content-Type: application/sdp'] : []),
  ];
}

describe('SIP over WebSocket at /sip of the running daemon', function () {
  this.timeout(60_000);
  let gateway: Gateway;
  let url: string;
  before(async () => {
    gateway = await Gateway.start({
      env: {
        TRUNKLINE_SIP_WEBSOCKET_ORIGINS: 'https://shop.example.com',
        TRUNKLINE_HTTP_TRUSTED_PROXIES: '127.0.0.1',
      },
    });
    url = `${gateway.httpUrl.replace(/^http/, 'ws')}/sip`;
  });
  after(() => gateway?.stop());

  it('answers OPTIONS, and takes no call from loopback for granted, whatever its Via says', async () => {
    const agent = await BrowserAgent.open(url);
    agent.send(request('OPTIONS'));
    assert.equal((await agent.response()).status, 200);
    for (const [method, via] of [
      ['INVITE', 'WS'],
      ['INVITE', 'UDP'],
      ['REGISTER', 'WS'],
      ['REGISTER', 'TCP'],
    ] as const) {
      agent.send(request(method, via), method === 'INVITE' ? SDP : '');
      const { status } = await agent.response();
      assert.ok(status === 401 || status === 403, `${method} with Via ${via}: ${status}`);
    }
    assert.deepEqual(await gateway.calls(), []);
    assert.equal(await gateway.metric('trunkline_sip_events', /event="webSockets"/), 1);
    const metrics = await (await gateway.api('/metrics')).text();
    for (const event of ['bans', 'droppedBanned', 'spoofed', 'scanners', 'credentialFailures']) {
      assert.match(metrics, new RegExp(`^trunkline_sip_events\\{event="${event}"\\} 0$`, 'm'));
    }
    await agent.close();
  });

  it('is open to our own pages and to those that are listed, and to no others', async () => {
    const own = new URL(gateway.httpUrl).origin;
    for (const origin of [own, 'https://shop.example.com']) {
      await (await BrowserAgent.open(url, { origin })).close();
    }
    for (const origin of ['https://evil.example', 'null', `${own}.evil.example`]) {
      await assert.rejects(BrowserAgent.open(url, { origin }), /403/, origin);
    }
  });

  it('is nowhere else, and HTTP is answered there as before', async () => {
    await assert.rejects(BrowserAgent.open(url.replace('/sip', '/other')), /404/);
    assert.equal((await fetch(`${gateway.httpUrl}/sip`)).status, 404);
    assert.equal((await fetch(`${gateway.httpUrl}/health`)).status, 200);
  });
});
