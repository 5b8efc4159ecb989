import assert from 'node:assert/strict';
import { createSocket } from 'node:dgram';
import { once } from 'node:events';
import { MediaError } from '../../../src/media/media-error.ts';
import { PortPool, sliceOfPortRange } from '../../../src/media/port-pool.ts';

/** Four pairs that were free a moment ago. */
async function freeRange(): Promise<{ min: number; max: number }> {
  const socket = createSocket('udp4').bind(0, '127.0.0.1');
  await once(socket, 'listening');
  const min = Math.min(60_000, socket.address().port & ~1);
  socket.close();
  return { min, max: min + 7 };
}

const isExhausted = (error: unknown) =>
  error instanceof MediaError && error.code === 'MEDIA_PORTS_EXHAUSTED' && error.retryable;

describe('slices of a port range', () => {
  it('are even, whole, apart, and cover the range', () => {
    const slices = [0, 1, 2].map((index) => sliceOfPortRange({ min: 40001, max: 40100 }, index, 3));
    assert.deepEqual(slices, [
      { min: 40002, max: 40033 },
      { min: 40034, max: 40065 },
      { min: 40066, max: 40099 },
    ]);
  });
});

describe('the port pool', () => {
  it('gives pairs of an even port and the next, until there are none', async () => {
    const pool = new PortPool('127.0.0.1', await freeRange(), 0);
    const pairs = [];
    for (let n = 0; n < 4; n += 1) {
      const pair = await pool.acquire();
      pairs.push(pair);
      assert.equal(pair.port % 2, 0);
      assert.equal(pair.rtp.address().port, pair.port);
      assert.equal(pair.rtcp.address().port, pair.port + 1);
    }
    await assert.rejects(pool.acquire(), isExhausted);
    pool.release(pairs[2]!);
    const again = await pool.acquire();
    assert.equal(again.port, pairs[2]!.port);
    for (const pair of [...pairs.filter(({ port }) => port !== again.port), again])
      pool.release(pair);
    pool.close();
    assert.equal(pool.takenCount, 0);
  });

  it('skips a port that somebody else has', async () => {
    const range = await freeRange();
    const squatter = createSocket('udp4').bind(range.min + 3, '127.0.0.1');
    await once(squatter, 'listening');
    const pool = new PortPool('127.0.0.1', range, 0);
    const pairs = [await pool.acquire(), await pool.acquire(), await pool.acquire()];
    await assert.rejects(pool.acquire(), isExhausted);
    assert.ok(pairs.every(({ port }) => port !== range.min + 2));
    for (const pair of pairs) pool.release(pair);
    pool.close();
    squatter.close();
  });

  it('keeps a released pair bound and deaf while it drains', async () => {
    const range = await freeRange();
    const pool = new PortPool('127.0.0.1', { min: range.min, max: range.min + 1 }, 60_000);
    const pair = await pool.acquire();
    let heard = 0;
    pair.rtp.on('message', () => {
      heard += 1;
    });
    pool.release(pair);
    await assert.rejects(pool.acquire(), isExhausted);
    assert.equal(pair.rtp.address().port, pair.port);
    assert.equal(pair.rtp.listenerCount('message'), 0);
    assert.equal(heard, 0);
    pool.close();
    assert.equal(pool.takenCount, 0);
  });

  it('says so when the address is not ours', async () => {
    const pool = new PortPool('192.0.2.1', { min: 40000, max: 40009 }, 0);
    await assert.rejects(
      pool.acquire(),
      (error) => error instanceof MediaError && error.code === 'MEDIA_SOCKET_FAILED',
    );
  });
});
