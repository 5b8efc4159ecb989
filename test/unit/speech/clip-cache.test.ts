import assert from 'node:assert/strict';
import { ClipCache, type Clip } from '../../../src/speech/clip-cache.ts';

const clip = (durationMs: number): Clip => ({
  encoded: { durationMs, frames: [], format: 'PCMU/8000' },
  levels: new Float32Array(0),
});

describe('the clip cache', () => {
  it('gives back what was put in', () => {
    const cache = new ClipCache(1000);
    const kept = clip(400);
    cache.set('a', kept);
    assert.equal(cache.get('a'), kept);
    assert.equal(cache.get('b'), null);
  });

  it('lets the clips longest unused go when it is full', () => {
    const cache = new ClipCache(1000);
    for (const key of ['a', 'b']) cache.set(key, clip(400));
    cache.get('a');
    cache.set('c', clip(400));
    assert.deepEqual(
      ['a', 'b', 'c'].map((key) => cache.get(key) !== null),
      [true, false, true],
    );
  });

  it('does not keep what is larger than all its room, and stays bounded', () => {
    const cache = new ClipCache(1000);
    cache.set('a', clip(1001));
    assert.equal(cache.size, 0);
    for (let i = 0; i < 500; i += 1) cache.set(`${i % 50}`, clip(100));
    assert.ok(cache.size <= 10);
  });
});
