import assert from 'node:assert/strict';
import { DigitCollector } from '../../../src/speech/digit-collector.ts';

describe('the digit collector', () => {
  const press = (keys: string, isKnown: (digits: string) => boolean = () => false) => {
    const collector = new DigitCollector();
    return { results: Array.from(keys, (key) => collector.press(key, isKnown)), collector };
  };

  it('collects until the pound key', () => {
    assert.deepEqual(press('42#').results, [null, null, '42#']);
  });
  it('takes at once what the phrasebook knows', () => {
    assert.deepEqual(press('12', (digits) => digits === '12').results, [null, '12']);
  });
  it('gives what there is when the pause is over, and begins anew', () => {
    const { collector } = press('471');
    assert.equal(collector.take(), '471');
    assert.equal(collector.take(), '');
  });
  it('ignores what is no key', () => assert.equal(press('x 7').collector.take(), '7'));
  it('takes no more than 32', () => {
    assert.equal(press('1'.repeat(32)).results.at(-1)?.length, 32);
  });
});
