import assert from 'node:assert/strict';
import { once } from 'node:events';
import { connect, type Socket } from 'node:net';
import { type RunningSipEngine, startSipEngine } from '../../../src/sip-engine/sip-engine.ts';
import { UserAgent } from './user-agent.ts';

/** Sends payloads as frames and resolves with all that came until the connection ended or `count` frames. */
async function talk(
  engine: RunningSipEngine,
  payloads: readonly string[],
  count: number,
): Promise<string[]> {
  const socket = connect(engine.admin.port, engine.admin.host);
  await once(socket, 'connect');
  for (const payload of payloads) socket.write(`${Buffer.byteLength(payload)}#${payload}`);
  const frames = await read(socket, count);
  socket.destroy();
  await once(socket, 'close');
  return frames;
}

async function read(socket: Socket, count: number): Promise<string[]> {
  let text = '';
  const frames: string[] = [];
  for await (const bytes of socket.iterator({ destroyOnReturn: false })) {
    text += String(bytes);
    for (let hash = text.indexOf('#'); hash > 0; hash = text.indexOf('#')) {
      const end = hash + 1 + Number(text.slice(0, hash));
      if (text.length < end) break;
      frames.push(text.slice(hash + 1, end));
      text = text.slice(end);
    }
    if (frames.length >= count) break;
  }
  return frames;
}

const afterId = (frame: string | undefined): string => frame?.slice(frame.indexOf('|') + 1) ?? '';

describe('the admin port of the embedded SIP engine', () => {
  let engine: RunningSipEngine;
  before(async () => {
    engine = await startSipEngine({ host: '127.0.0.1', port: 0, secret: 'right' });
  });
  after(() => engine.close());

  it('is bound to loopback', () => assert.equal(engine.admin.host, '127.0.0.1'));

  it('refuses a wrong secret and closes', async () => {
    const frames = await talk(engine, ['a|authenticate|wrong|', 'b|ping'], 2);
    assert.deepEqual(frames.map(afterId), ['response|a|NO|incorrect secret']);
  });

  it('does nothing for a connection that has not authenticated', async () => {
    for (const verb of ['route|invite', 'ping', 'sip||\r\nOPTIONS sip:a@b SIP/2.0\r\n\r\n']) {
      const frames = await talk(engine, [`a|${verb}`], 2);
      assert.deepEqual(frames.map(afterId), ['response|a|NO|not authenticated']);
    }
  });

  it('tells its addresses, answers pings and closes on an unknown verb', async () => {
    const frames = await talk(
      engine,
      ['a|authenticate|right|tag', 'b|ping', 'c|route|invite', 'd|nonsense'],
      5,
    );
    const port = engine.listening[0]?.port;
    const places = `udp/127.0.0.1:${port},tcp/127.0.0.1:${port}`;
    assert.match(
      afterId(frames[0]),
      new RegExp(`^response\\|a\\|OK\\|${places}\\|v\\d+\\.\\d+\\.\\d+[^|]*\\|${places}$`),
    );
    assert.deepEqual(frames.slice(1).map(afterId), [
      'response|b|OK|pong',
      'response|c|OK',
      'response|d|NO|Unknown message type',
    ]);
  });

  it('takes a request of 50,000 octets', async () => {
    const agent = await UserAgent.open();
    const body = 'x'.repeat(50_000);
    const message = `MESSAGE sip:a@127.0.0.1:${agent.port} SIP/2.0\r\ncontent-type: text/plain\r\n\r\n${body}`;
    const frames = await talk(engine, ['a|authenticate|right|', `b|sip||\r\n${message}`], 2);
    assert.match(afterId(frames[1]), /^response\|b\|OK\|application\|/);
    const { body: arrived } = await agent.request('MESSAGE');
    assert.equal(arrived.length, body.length);
    await agent.close();
  });
});
