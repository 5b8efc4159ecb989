import assert from 'node:assert/strict';
import { once } from 'node:events';
import { createServer, type Server } from 'node:http';
import JsSIP from 'jssip';
import {
  Inviter,
  Registerer,
  RegistererState,
  type Session,
  type SessionDescriptionHandler,
  SessionState,
  UserAgent,
} from 'sip.js';
import { WebSocket } from 'ws';
import { digestSecret } from '../../../src/signaling/digest/digest-hash.ts';
import { connectSipEngine, type SipSignaling } from '../../../src/signaling/sip-engine-client.ts';
import type { SipInvite } from '../../../src/signaling/sip-leg.ts';
import { type RunningSipEngine, startSipEngine } from '../../../src/sip-engine/sip-engine.ts';
import { Inbox, LegOwner } from '../../support/leg-owner.ts';

const QUIET = { info: () => {}, warn: () => {}, error: () => {} };
const SDP =
  'v=0\r\no=- 1 1 IN IP4 127.0.0.1\r\ns=-\r\nc=IN IP4 127.0.0.1\r\nt=0 0\r\nm=audio 9 RTP/AVP 0\r\n';

/** Descriptions without media: what is tested is the library's SIP, not a browser's WebRTC. */
class PaperDescriptions implements SessionDescriptionHandler {
  close(): void {}
  getDescription() {
    return Promise.resolve({ body: SDP, contentType: 'application/sdp' });
  }
  hasDescription(type: string): boolean {
    return type === 'application/sdp';
  }
  holdModifier(description: never) {
    return Promise.resolve(description);
  }
  rollbackDescription() {
    return Promise.resolve();
  }
  setDescription() {
    return Promise.resolve();
  }
  sendDtmf(): boolean {
    return false;
  }
}

const ends = (session: Session) =>
  new Promise<void>((resolve) => {
    session.stateChange.addListener((state) => {
      if (state === SessionState.Terminated) resolve();
    });
  });
const reaches = <State>(
  emitter: { addListener(listener: (state: State) => void): void },
  wanted: State,
) =>
  new Promise<void>((resolve) => {
    emitter.addListener((state) => {
      if (state === wanted) resolve();
    });
  });

/** The libraries of browsers as their authors ship them, run by Node with `ws` for WebSocket. */
describe('an unmodified library of browsers', () => {
  let engine: RunningSipEngine;
  let signaling: SipSignaling;
  let server: Server;
  let url: string;
  const invites = new Inbox<SipInvite>();
  const own = Object.getOwnPropertyDescriptor(globalThis, 'WebSocket');
  before(async () => {
    Object.defineProperty(globalThis, 'WebSocket', { value: WebSocket, configurable: true });
    engine = await startSipEngine({ host: '127.0.0.1', port: 0, secret: 'tests' });
    const secret = (hash: 'MD5' | 'SHA-256') =>
      digestSecret(hash, { username: 'ann', realm: 'trunkline', password: 'right' });
    signaling = connectSipEngine({
      ...engine.admin,
      secret: 'tests',
      webSockets: {
        realm: 'trunkline',
        findUser: async (username) =>
          username === 'ann'
            ? { username, secrets: { MD5: secret('MD5'), 'SHA-256': secret('SHA-256') } }
            : null,
        authorizeCall: async () => ({ type: 'take' }),
        register: async (_user, request) => {
          const contact = request.get('contact') ?? '';
          const isGone = /expires=0/.test(contact) || request.get('expires') === '0';
          return {
            type: 'registered',
            contacts: isGone ? [] : [`${contact.replace(/;expires=\d+/, '')};expires=300`],
          };
        },
      },
      onInvite: (invite) => invites.put(invite),
      log: QUIET,
    });
    await signaling.whenConnected();
    server = createServer();
    server.on('upgrade', (request, socket, head) =>
      engine.acceptWebSocket({
        request,
        socket,
        head,
        clientAddress: '127.0.0.1',
        isSecure: false,
      }),
    );
    server.listen(0, '127.0.0.1');
    await once(server, 'listening');
    const address = server.address();
    url = `ws://127.0.0.1:${typeof address === 'object' ? address?.port : 0}/sip`;
  });
  after(async () => {
    await signaling.close();
    await engine.close();
    await new Promise<void>((resolve) => server.close(() => resolve()));
    if (own === undefined) Reflect.deleteProperty(globalThis, 'WebSocket');
    else Object.defineProperty(globalThis, 'WebSocket', own);
  });

  const sipJs = (password = 'right') =>
    new UserAgent({
      uri: UserAgent.makeURI('sip:ann@127.0.0.1'),
      transportOptions: { server: url, keepAliveInterval: 1 },
      authorizationUsername: 'ann',
      authorizationPassword: password,
      sessionDescriptionHandlerFactory: () => new PaperDescriptions(),
      logBuiltinEnabled: false,
      noAnswerTimeout: 30,
    });

  it('sip.js registers, is called, and takes its registration away', async () => {
    const agent = sipJs();
    const called = new Inbox<Session>();
    agent.delegate = {
      onInvite: (invitation) => {
        called.put(invitation);
        void invitation.accept();
      },
    };
    await agent.start();
    const registerer = new Registerer(agent);
    const registered = reaches(registerer.stateChange, RegistererState.Registered);
    await registerer.register();
    await registered;
    const owner = newOwner();
    const contact = String(agent.contact.uri);
    const result = await signaling.dial(
      {
        uri: contact,
        from: { user: 'demo' },
        offerSdp: SDP,
        timeoutMs: 5000,
        signal: new AbortController().signal,
      },
      owner,
    );
    assert.equal(result.type, 'answered');
    const over = ends(await called.next());
    if (result.type === 'answered') await result.leg.hangUp();
    await over;
    const gone = reaches(registerer.stateChange, RegistererState.Unregistered);
    await registerer.unregister();
    await gone;
    await agent.stop();
  });

  it('sip.js calls, stays with its call over a new connection, and hangs up', async () => {
    const agent = sipJs();
    await agent.start();
    const target = UserAgent.makeURI('sip:demo@127.0.0.1');
    if (target === undefined) throw new TypeError('no target');
    const session = new Inviter(agent, target);
    const established = reaches(session.stateChange, SessionState.Established);
    await session.invite();
    const owner = newOwner();
    const invite = await invites.next();
    assert.equal(invite.signedInAs, 'ann');
    await invite.answer(SDP, owner);
    await established;
    await agent.transport.disconnect();
    await agent.transport.connect();
    await session.invite();
    await owner.offers.next();
    await session.bye();
    assert.equal((await owner.ends.next()).reason, 'caller-hung-up');
    await agent.stop();
  });

  it('sip.js with a wrong password is refused', async () => {
    const agent = sipJs('wrong');
    await agent.start();
    const target = UserAgent.makeURI('sip:demo@127.0.0.1');
    if (target === undefined) throw new TypeError('no target');
    const before = invites.all.length;
    const statuses = new Inbox<number | undefined>();
    await new Inviter(agent, target).invite({
      requestDelegate: { onReject: ({ message }) => statuses.put(message.statusCode) },
    });
    // It answers no second challenge by itself: what the daemon says to a wrong password is 403.
    assert.ok([401, 403].includes((await statuses.next()) ?? 0));
    assert.equal(invites.all.length, before);
    await agent.stop();
  });

  it('JsSIP registers and takes its registration away', async () => {
    const agent = new JsSIP.UA({
      sockets: [new JsSIP.WebSocketInterface(url)],
      uri: 'sip:ann@127.0.0.1',
      authorization_user: 'ann',
      password: 'right',
      register: true,
    });
    const registered = new Promise<void>((resolve, reject) => {
      agent.on('registered', () => resolve());
      agent.on('registrationFailed', ({ cause }: { cause?: string }) =>
        reject(new Error(String(cause))),
      );
    });
    agent.start();
    await registered;
    const gone = new Promise<void>((resolve) => agent.on('unregistered', () => resolve()));
    agent.unregister();
    await gone;
    agent.stop();
  });
});

const newOwner = () =>
  new LegOwner(
    () => SDP,
    async () => ({ type: 'answer', sdp: SDP }),
  );
