import assert from 'node:assert/strict';
import { newId } from '../../../src/lib/new-id.ts';

describe('a new identifier', () => {
  it('carries its prefix and twenty characters of a small alphabet', () => {
    for (let round = 0; round < 200; round += 1) {
      assert.match(newId('call'), /^call_[0-9bcdfghjkmnpqrstvwxyz]{20}$/);
    }
  });

  it('uses every character of the alphabet about equally often', () => {
    const counts = new Map<string, number>();
    for (let round = 0; round < 3_000; round += 1) {
      for (const letter of newId('x').slice(2)) counts.set(letter, (counts.get(letter) ?? 0) + 1);
    }
    // 60,000 characters over 30 letters: 2,000 each, standard deviation 44.
    assert.equal(counts.size, 30);
    for (const count of counts.values()) assert.ok(Math.abs(count - 2_000) < 300, `${count}`);
  });
});
