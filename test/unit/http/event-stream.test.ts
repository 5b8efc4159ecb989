import assert from 'node:assert/strict';
import { once } from 'node:events';
import { connect } from 'node:net';
import Fastify from 'fastify';
import { type EventStream, EventStreams } from '../../../src/http/event-stream.ts';
import { HttpError } from '../../../src/http/errors.ts';
import { asWorkspaceId } from '../../../src/model/ids.ts';
import { EventReader } from '../../support/event-reader.ts';

const OWN = asWorkspaceId('ws_own');
const OTHER = asWorkspaceId('ws_other');
const EVENT = { data: { text: 'x'.repeat(1000) } };

describe('a stream of events', () => {
  const apps: ReturnType<typeof Fastify>[] = [];
  afterEach(async () => {
    await Promise.all(apps.splice(0).map((app) => app.close()));
  });

  async function serve(streams: EventStreams, opened: (stream: EventStream) => void) {
    const app = Fastify({ forceCloseConnections: 'idle' });
    apps.push(app);
    app.addHook('preClose', async () => streams.closeAll());
    app.get('/', (_, reply) => {
      const stream = streams.open(OWN);
      opened(stream);
      return stream.answer(reply);
    });
    return app.listen({ port: 0, host: '127.0.0.1' });
  }

  it('shows ids, names and data, and a comment while nothing happens', async () => {
    const streams = new EventStreams({ heartbeatMs: 20 });
    let stream: EventStream | undefined;
    const reader = await EventReader.open(await serve(streams, (one) => (stream = one)), {});
    stream?.send({ id: 7, name: 'ringing', data: { text: 'two\nlines' } });
    stream?.send({ data: {} });
    while (reader.comments.length < 2) await new Promise((resolve) => setTimeout(resolve, 5));
    stream?.end();
    await reader.closed;
    assert.deepEqual(reader.events, [
      { id: '7', name: 'ringing', data: { text: 'two\nlines' } },
      { id: '', name: 'message', data: {} },
    ]);
    assert.equal(streams.count, 0);
  });

  it('is forgotten once its reader has gone', async () => {
    const streams = new EventStreams({ heartbeatMs: 10 });
    const closed = new Promise<void>((resolve) => {
      void serve(streams, (stream) => stream.onClosed(resolve)).then((url) => {
        const socket = ask(url);
        socket.once('data', () => socket.destroy());
      });
    });
    await closed;
    assert.equal(streams.count, 0);
  });

  it('cuts off whoever does not read, and keeps no more than it may lag', async () => {
    const streams = new EventStreams({ lagMaxBytes: 10_000 });
    let stream: EventStream | undefined;
    const socket = ask(await serve(streams, (one) => (stream = one)));
    await once(socket, 'readable');
    socket.pause();
    stream?.caughtUp();
    // What the network takes is no lag: many megabytes at most.
    for (let i = 0; i < 100_000 && streams.count > 0; i += 1) {
      stream?.send(EVENT);
      if (i % 100 === 0) await new Promise((resolve) => setImmediate(resolve));
    }
    assert.equal(streams.count, 0);
    socket.destroy();
  });

  it('tells all of the past, however much that is', async () => {
    const streams = new EventStreams({ lagMaxBytes: 10_000 });
    const url = await serve(streams, (stream) => {
      for (let i = 0; i < 1000; i += 1) stream.send(EVENT);
      stream.caughtUp();
      stream.end();
    });
    const reader = await EventReader.open(url, {});
    await reader.closed;
    assert.equal(reader.events.length, 1000);
  });

  it('is one of a bounded number, of a workspace and in all', () => {
    const streams = new EventStreams({ perWorkspaceMax: 2, totalMax: 3 });
    const own = [streams.open(OWN), streams.open(OWN)];
    const refused = (workspace: typeof OWN) =>
      assert.throws(
        () => streams.open(workspace),
        (error) => error instanceof HttpError && error.code === 'RATE_LIMITED',
      );
    refused(OWN);
    const other = streams.open(OTHER);
    refused(OTHER);
    for (const stream of [...own, other]) stream.cut();
  });

  it('ends when the server stops', async () => {
    const streams = new EventStreams();
    const url = await serve(streams, () => {});
    const reader = await EventReader.open(url, {});
    await apps[0]?.close();
    await reader.closed;
    assert.equal(streams.count, 0);
  });
});

/** A reader with no more than a socket. */
function ask(url: string) {
  const { port, hostname } = new URL(url);
  const socket = connect(Number(port), hostname);
  socket.write('GET / HTTP/1.1\r\nHost: x\r\n\r\n');
  return socket;
}
