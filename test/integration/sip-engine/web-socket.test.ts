import assert from 'node:assert/strict';
import { once } from 'node:events';
import { createServer, type Server } from 'node:http';
import { setTimeout as delay } from 'node:timers/promises';
import { WebSocketServer } from 'ws';
import { digestSecret } from '../../../src/signaling/digest/digest-hash.ts';
import { connectSipEngine, type SipSignaling } from '../../../src/signaling/sip-engine-client.ts';
import type { SipInvite, SipLeg } from '../../../src/signaling/sip-leg.ts';
import type {
  WebSocketAuthorizer,
  WebSocketRequest,
} from '../../../src/signaling/web-socket-authorizer.ts';
import { type RunningSipEngine, startSipEngine } from '../../../src/sip-engine/sip-engine.ts';
import type { WebSocketHandshake } from '../../../src/sip-engine/transport/web-socket-acceptor.ts';
import { WebSocketRelay } from '../../../src/sip-engine/transport/web-socket-relay.ts';
import { Inbox, LegOwner } from '../../support/leg-owner.ts';
import { BrowserAgent, credentialsFor } from './browser-agent.ts';
import { UserAgent } from './user-agent.ts';

const QUIET = { info: () => {}, warn: () => {}, error: () => {} };
const SDP =
  'v=0\r\no=- 1 1 IN IP4 127.0.0.1\r\ns=-\r\nc=IN IP4 127.0.0.1\r\nt=0 0\r\nm=audio 9 RTP/AVP 0\r\n';
const secretOf = (username: string, hash: 'MD5' | 'SHA-256') =>
  digestSecret(hash, { username, realm: 'trunkline', password: 'right' });

/** An HTTP server that leads every upgrade to one taker, as the daemon does for `/sip`. */
async function listen(take: (handshake: WebSocketHandshake) => void): Promise<{
  readonly url: string;
  readonly server: Server;
}> {
  const server = createServer((_request, response) => response.writeHead(404).end());
  server.on('upgrade', (request, socket, head) =>
    take({ request, socket, head, clientAddress: '127.0.0.1', isSecure: false }),
  );
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  const address = server.address();
  const port = typeof address === 'object' ? address?.port : 0;
  return { url: `ws://127.0.0.1:${port}/sip`, server };
}

const close = (server: Server) =>
  new Promise<void>((resolve) => {
    server.closeAllConnections();
    server.close(() => resolve());
  });

let counter = 0;
/** A request as a page's library writes it: a host that does not exist, transport WS. */
function request(
  method: string,
  options: {
    readonly contact?: string;
    readonly callId?: string;
    readonly cseq?: number;
    readonly to?: string;
    readonly uri?: string;
    readonly via?: string;
    readonly more?: readonly string[];
  } = {},
): string[] {
  counter += 1;
  const contact = options.contact ?? '<sip:k3s9@a1b2c3.invalid;transport=ws>';
  return [
    `${method} ${options.uri ?? 'sip:demo@127.0.0.1'} SIP/2.0`,
    `Via: SIP/2.0/${options.via ?? 'WS'} a1b2c3.invalid;branch=z9hG4bK${counter}`,
    'Max-Forwards: 70',
    'From: <sip:ann@127.0.0.1>;tag=from1',
    `To: ${options.to ?? '<sip:demo@127.0.0.1>'}`,
    `Call-ID: ${options.callId ?? `call${counter}`}`,
    `CSeq: ${options.cseq ?? 1} ${method}`,
    `Contact: ${contact}`,
    ...(method === 'INVITE' ? ['Content-Type: application/sdp'] : []),
    ...(options.more ?? []),
  ];
}

class Rig {
  readonly engine: RunningSipEngine;
  readonly signaling: SipSignaling;
  readonly server: Server;
  readonly url: string;
  readonly invites: Inbox<SipInvite>;
  readonly asked: WebSocketRequest[];

  private constructor(parts: Omit<Rig, 'close' | 'signIn'>) {
    this.engine = parts.engine;
    this.signaling = parts.signaling;
    this.server = parts.server;
    this.url = parts.url;
    this.invites = parts.invites;
    this.asked = parts.asked;
  }

  static async start(
    options: {
      readonly isOpen?: boolean;
      readonly connectionsPerSourceMax?: number;
      readonly origin?: string;
    } = {},
  ): Promise<Rig> {
    const { isOpen = true, connectionsPerSourceMax = 100, origin } = options;
    const engine = await startSipEngine({
      host: '127.0.0.1',
      port: 0,
      secret: 'tests',
      webSockets: {
        connectionsPerSourceMax,
        isOriginAllowed: (given) => origin === undefined || given === origin,
      },
    });
    const invites = new Inbox<SipInvite>();
    const asked: WebSocketRequest[] = [];
    const authorizer: WebSocketAuthorizer = {
      realm: 'trunkline',
      findUser: async (username) =>
        username === 'ann'
          ? {
              username,
              secrets: { MD5: secretOf('ann', 'MD5'), 'SHA-256': secretOf('ann', 'SHA-256') },
            }
          : null,
      authorizeCall: async (_user, call) => {
        asked.push(call);
        if (call.dialed.user === 'barred') return { type: 'refuse', status: 403 };
        return call.dialed.user === 'nobody' ? { type: 'refuse', status: 404 } : { type: 'take' };
      },
      register: async (_user, registration) => {
        asked.push(registration);
        return { type: 'registered', contacts: [`${registration.get('contact')};expires=300`] };
      },
    };
    const signaling = connectSipEngine({
      ...engine.admin,
      secret: 'tests',
      ...(isOpen ? { webSockets: authorizer } : {}),
      onInvite: (invite) => invites.put(invite),
      log: QUIET,
    });
    await signaling.whenConnected();
    const { server, url } = await listen((handshake) => engine.acceptWebSocket(handshake));
    return new Rig({ engine, signaling, server, url, invites, asked });
  }

  /** Sends a request, answers its challenge, gives the request's lines as sent last. */
  async signIn(
    agent: BrowserAgent,
    method: 'INVITE' | 'REGISTER',
    options: { readonly callId: string; readonly uri?: string; readonly password?: string },
  ): Promise<void> {
    const { uri = 'sip:demo@127.0.0.1', password = 'right', callId } = options;
    const body = method === 'INVITE' ? SDP : '';
    agent.send(request(method, { callId, uri }), body);
    const challenge = await agent.response(401);
    const asked = { method, uri, username: 'ann', password };
    const more = [credentialsFor(challenge, asked)];
    agent.send(request(method, { callId, uri, cseq: 2, more }), body);
  }

  async close(): Promise<void> {
    await this.signaling.close();
    await this.engine.close();
    await close(this.server);
  }
}

describe('SIP over WebSocket', () => {
  let rig: Rig;
  let agent: BrowserAgent;
  before(async () => (rig = await Rig.start()));
  after(() => rig.close());
  beforeEach(async () => (agent = await BrowserAgent.open(rig.url)));
  afterEach(() => agent.close());

  it('speaks the subprotocol sip, and refuses who does not', async () => {
    assert.equal(agent.socket.protocol, 'sip');
    await assert.rejects(BrowserAgent.open(rig.url, { protocol: 'mqtt' }), /400/);
  });

  it('answers in text frames what came in text and in binary frames', async () => {
    for (const binary of [false, true]) {
      agent.send(request('OPTIONS'), '', binary);
      const answer = await agent.response(200);
      assert.match(answer.headers.first('via') ?? '', /SIP\/2.0\/WS a1b2c3.invalid;.*received=127/);
    }
  });

  it('answers the keep-alive of RFC 5626, and no message else', async () => {
    agent.socket.send('\r\n\r\n');
    assert.equal((await agent.frame()).toString(), '\r\n');
    agent.socket.send('\r\n');
    agent.send(request('OPTIONS'));
    assert.equal((await agent.response()).status, 200);
  });

  it('takes a message in pieces of two frames for none, and goes on', async () => {
    const [head, tail] = [request('OPTIONS').slice(0, 5), request('OPTIONS').slice(5)];
    agent.socket.send(head.join('\r\n'));
    agent.socket.send(`${tail.join('\r\n')}\r\n\r\n`);
    agent.send(request('OPTIONS'));
    assert.equal((await agent.response()).status, 200);
  });

  it('ends a connection that sends a frame larger than any SIP message', async () => {
    const closed = once(agent.socket, 'close');
    agent.socket.send(Buffer.alloc(70_000, 'x'));
    assert.equal((await closed)[0], 1009);
  });

  it('asks for a password, and takes a call only with the right one', async () => {
    await rig.signIn(agent, 'INVITE', { callId: 'wrong', password: 'wrong' });
    assert.equal((await agent.response()).status, 403);
    await rig.signIn(agent, 'INVITE', { callId: 'right' });
    const invite = await rig.invites.next();
    assert.equal(invite.signedInAs, 'ann');
    assert.equal(invite.transport, 'ws');
    assert.equal(invite.trunk, null);
    invite.refuse(486);
    assert.equal((await agent.response()).status, 486);
  });

  it('refuses whom the authorizer does not let call', async () => {
    const before = rig.invites.all.length;
    await rig.signIn(agent, 'INVITE', { callId: 'nobody', uri: 'sip:nobody@127.0.0.1' });
    assert.equal((await agent.response()).status, 404);
    assert.equal(rig.invites.all.length, before);
  });

  it('counts wrong passwords toward a ban, and no refusal to a right one', async () => {
    const failures = () => rig.engine.stats().credentialFailures;
    const before = failures();
    await rig.signIn(agent, 'INVITE', { callId: 'barred', uri: 'sip:barred@127.0.0.1' });
    assert.equal((await agent.response()).status, 403);
    assert.equal(failures(), before);
    await rig.signIn(agent, 'INVITE', { callId: 'guessed', password: 'guess' });
    assert.equal((await agent.response()).status, 403);
    assert.equal(failures(), before + 1);
  });

  it('is not looked into any more after ten wrong passwords for one name', async () => {
    for (let attempt = 0; attempt < 10; attempt += 1) {
      await rig.signIn(agent, 'REGISTER', { callId: `guess${attempt}`, password: 'guess' });
      assert.equal((await agent.response()).status, 403);
    }
    await rig.signIn(agent, 'REGISTER', { callId: 'locked' });
    assert.equal((await agent.response()).status, 403);
  });

  it('is trusted as little when its Via names another transport', async () => {
    agent.send(request('INVITE', { via: 'UDP', callId: 'liar' }), SDP);
    assert.equal((await agent.response()).status, 401);
  });
});

describe('a call by WebSocket', () => {
  let rig: Rig;
  beforeEach(async () => (rig = await Rig.start()));
  afterEach(() => rig.close());

  const call = async (
    agent: BrowserAgent,
    callId: string,
  ): Promise<{ leg: SipLeg; owner: LegOwner; toTag: string; contact: string }> => {
    await rig.signIn(agent, 'INVITE', { callId });
    const owner = newOwner();
    const answering = (await rig.invites.next()).answer(SDP, owner);
    const answer = await agent.response(200);
    const to = answer.headers.first('to') ?? '';
    agent.send(request('ACK', { callId, to, cseq: 2 }));
    const toTag = /tag=(\S+)/.exec(to)?.[1] ?? '';
    return { leg: await answering, owner, toTag, contact: answer.headers.first('contact') ?? '' };
  };

  it('is answered, and ended by us over the same connection', async () => {
    const agent = await BrowserAgent.open(rig.url);
    const { leg, contact } = await call(agent, 'ours');
    assert.match(contact, /^<sip:127\.0\.0\.1:\d+;transport=ws>$/);
    const hanging = leg.hangUp();
    const bye = await agent.request('BYE');
    assert.equal(bye.uri, 'sip:k3s9@a1b2c3.invalid;transport=ws');
    assert.equal(bye.via.transport, 'WS');
    agent.send(answerTo(bye));
    await hanging;
    await agent.close();
  });

  it('goes on over a new connection after a re-INVITE from there', async () => {
    const first = await BrowserAgent.open(rig.url);
    const { leg, owner, toTag } = await call(first, 'moved');
    await first.close();
    const second = await BrowserAgent.open(rig.url);
    const to = `<sip:demo@127.0.0.1>;tag=${toTag}`;
    second.send(request('INVITE', { callId: 'moved', to, cseq: 3 }), SDP);
    assert.equal((await second.response()).status, 200);
    second.send(request('ACK', { callId: 'moved', to, cseq: 3 }));
    assert.equal(owner.offers.all.length, 1);
    const hanging = leg.hangUp();
    second.send(answerTo(await second.request('BYE')));
    await hanging;
    await second.close();
  });

  it('goes on over a new connection once its browser registered from there', async () => {
    const first = await BrowserAgent.open(rig.url);
    const { leg } = await call(first, 'taken-along');
    await first.close();
    const second = await BrowserAgent.open(rig.url);
    await rig.signIn(second, 'REGISTER', { callId: 'registers', uri: 'sip:127.0.0.1' });
    assert.equal((await second.response()).status, 200);
    const hanging = leg.hangUp();
    second.send(answerTo(await second.request('BYE')));
    await hanging;
    await second.close();
  });

  it('is not ended by a BYE that comes by UDP, whatever it knows', async () => {
    const agent = await BrowserAgent.open(rig.url);
    const { leg, owner, toTag } = await call(agent, 'guarded');
    const to = `<sip:demo@127.0.0.1>;tag=${toTag}`;
    const udp = await UserAgent.open();
    const port = rig.engine.listening[0]?.port ?? 0;
    const bye = request('BYE', { callId: 'guarded', to, cseq: 9, via: 'UDP' });
    udp.send(
      bye.map((line) => line.replace('a1b2c3.invalid;b', `127.0.0.1:${udp.port};b`)),
      {
        port,
      },
    );
    assert.equal((await udp.response(481)).status, 481);
    assert.deepEqual(owner.ends.all, []);
    const hanging = leg.hangUp();
    agent.send(answerTo(await agent.request('BYE')));
    await hanging;
    await udp.close();
    await agent.close();
  });

  it('to a registered browser goes through the connection it registered by', async () => {
    const agent = await BrowserAgent.open(rig.url);
    await rig.signIn(agent, 'REGISTER', { callId: 'called', uri: 'sip:127.0.0.1' });
    await agent.response(200);
    const owner = newOwner();
    const [registered] = rig.asked;
    const ways = [null, `sip:127.0.0.1:${registered?.sourcePort};transport=ws`];
    for (const proxy of ways) {
      const dialing = rig.signaling.dial(
        {
          uri: 'sip:k3s9@a1b2c3.invalid;transport=ws',
          from: { user: 'demo' },
          offerSdp: SDP,
          headers: {},
          ...(proxy === null ? {} : { proxy }),
          timeoutMs: 5000,
          signal: new AbortController().signal,
        },
        owner,
      );
      const invite = await agent.request('INVITE');
      agent.send(answerTo(invite, 486));
      const result = await dialing;
      assert.ok(result.type === 'ended' && result.sipStatus === 486);
    }
    await agent.close();
  });

  it('to a browser that is gone ends at once', async () => {
    const agent = await BrowserAgent.open(rig.url);
    await rig.signIn(agent, 'REGISTER', { callId: 'gone', uri: 'sip:127.0.0.1' });
    await agent.response(200);
    await agent.close();
    for (let waits = 0; rig.engine.stats().webSockets > 0 && waits < 200; waits += 1) {
      await delay(10);
    }
    const result = await rig.signaling.dial(
      {
        uri: 'sip:k3s9@a1b2c3.invalid;transport=ws',
        from: { user: 'demo' },
        offerSdp: SDP,
        headers: {},
        timeoutMs: 5000,
        signal: new AbortController().signal,
      },
      newOwner(),
    );
    assert.equal(result.type, 'ended');
    assert.equal(result.type === 'ended' && result.sipStatus, 503);
  });
});

describe('SIP over WebSocket without an authorizer', () => {
  let rig: Rig;
  before(async () => {
    rig = await Rig.start({ isOpen: false, connectionsPerSourceMax: 2, origin: 'https://ours' });
  });
  after(() => rig.close());

  it('refuses calls and registrations from loopback, and answers OPTIONS', async () => {
    const agent = await BrowserAgent.open(rig.url, { origin: 'https://ours' });
    agent.send(request('INVITE'), SDP);
    assert.equal((await agent.response()).status, 403);
    agent.send(request('REGISTER'));
    assert.equal((await agent.response()).status, 403);
    agent.send(request('OPTIONS'));
    assert.equal((await agent.response()).status, 200);
    assert.deepEqual(rig.invites.all, []);
    await agent.close();
  });

  it('refuses pages of other origins, and more connections than one address may have', async () => {
    await assert.rejects(BrowserAgent.open(rig.url, { origin: 'https://theirs' }), /403/);
    const agents = await Promise.all(
      [1, 2].map(() => BrowserAgent.open(rig.url, { origin: 'https://ours' })),
    );
    await assert.rejects(BrowserAgent.open(rig.url, { origin: 'https://ours' }), /429/);
    await Promise.all(agents.map((agent) => agent.close()));
    const again = await BrowserAgent.open(rig.url, { origin: 'https://ours' });
    await again.close();
  });
});

describe('a relay of SIP over WebSocket', () => {
  let behind: WebSocketServer;
  let relay: WebSocketRelay;
  let server: Server;
  let url: string;
  before(async () => {
    behind = new WebSocketServer({ port: 0, host: '127.0.0.1' });
    await once(behind, 'listening');
    // Sends everything back: what comes out went in.
    behind.on('connection', (socket) => {
      socket.on('message', (data, binary) => socket.send(data, { binary }));
    });
    const address = behind.address();
    const port = typeof address === 'object' ? address?.port : 0;
    relay = new WebSocketRelay({
      target: `ws://127.0.0.1:${port}`,
      connectionsMax: 10,
      connectionsPerSourceMax: 10,
      isOriginAllowed: () => true,
    });
    ({ server, url } = await listen((handshake) => relay.acceptWebSocket(handshake)));
  });
  after(async () => {
    relay.close();
    await close(server);
    await new Promise<void>((resolve) => behind.close(() => resolve()));
  });

  it('passes frames both ways, those before its own connection stood too', async () => {
    const agent = await BrowserAgent.open(url);
    agent.send(request('OPTIONS', { callId: 'relayed' }));
    assert.match((await agent.frame()).toString(), /^OPTIONS [^]*Call-ID: relayed/);
    agent.socket.send('\r\n\r\n');
    assert.equal((await agent.frame()).toString(), '\r\n\r\n');
    await agent.close();
  });

  it('ends a connection whose request claims to be anything but a WebSocket', async () => {
    for (const via of ['UDP', 'TCP', 'TLS']) {
      const agent = await BrowserAgent.open(url);
      const closed = once(agent.socket, 'close');
      agent.send(request('INVITE', { via }), SDP);
      assert.equal((await closed)[0], 1008);
    }
  });

  it('ends with the server behind', async () => {
    const agent = await BrowserAgent.open(url);
    agent.send(request('OPTIONS'));
    await agent.frame();
    const closed = once(agent.socket, 'close');
    for (const client of behind.clients) client.terminate();
    assert.equal((await closed)[0], 1013);
  });
});

function answerTo(
  request: { readonly headers: { first(key: string): string | undefined } },
  status = 200,
): string[] {
  const names = ['Via', 'From', 'Call-ID', 'CSeq'];
  const to = request.headers.first('to') ?? '';
  return [
    `SIP/2.0 ${status} Fine`,
    ...names.map((name) => `${name}: ${request.headers.first(name.toLowerCase())}`),
    `To: ${to.includes('tag=') ? to : `${to};tag=callee`}`,
    'Contact: <sip:k3s9@a1b2c3.invalid;transport=ws>',
  ];
}

const newOwner = () =>
  new LegOwner(
    () => SDP,
    async () => ({ type: 'answer', sdp: SDP }),
  );
