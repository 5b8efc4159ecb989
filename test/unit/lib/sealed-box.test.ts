import assert from 'node:assert/strict';
import { randomBytes } from 'node:crypto';
import { SealedBox } from '../../../src/lib/sealed-box.ts';

describe('a sealed box', () => {
  const box = new SealedBox(randomBytes(32));

  it('gives a secret back where it belongs, and hides it', () => {
    const sealed = box.seal('cts_secret', 'row 1');
    assert.equal(box.open(sealed, 'row 1'), 'cts_secret');
    assert.equal(sealed.includes('secret'), false);
    assert.notEqual(box.seal('cts_secret', 'row 1'), sealed, 'a nonce of its own each time');
  });

  it('does not open in another place, with another key, or changed in any letter', () => {
    const sealed = box.seal('cts_secret', 'row 1');
    assert.equal(box.open(sealed, 'row 2'), null);
    assert.equal(new SealedBox(randomBytes(32)).open(sealed, 'row 1'), null);
    const bytes = Buffer.from(sealed.slice(3), 'base64url');
    for (let index = 0; index < bytes.length; index += 1) {
      const changed = Buffer.from(bytes);
      changed[index] = (changed[index] ?? 0) ^ 1;
      assert.equal(box.open(`v1.${changed.toString('base64url')}`, 'row 1'), null);
    }
    for (const text of ['', 'v1.', 'v1.AAAA', 'v2.AAAA', sealed.slice(0, -4)]) {
      assert.equal(box.open(text, 'row 1'), null);
    }
  });

  it('takes no key of another length', () => {
    assert.throws(() => new SealedBox(randomBytes(16)), TypeError);
  });
});
