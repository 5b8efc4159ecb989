import assert from 'node:assert/strict';
import { HeardText } from '../../../src/speech/heard-text.ts';

describe('heard text', () => {
  const reply = (): HeardText => {
    const heard = new HeardText();
    heard.begin('We are open,');
    heard.add(500);
    heard.add(500);
    heard.begin('from nine to five.');
    heard.add(1000);
    return heard;
  };

  it('is nothing before the first word', () => assert.equal(reply().heard(0), ''));
  it('is all at the end', () =>
    assert.equal(reply().heard(2000), 'We are open, from nine to five.'));
  it('is whole clauses, and the words of the one that was cut', () => {
    assert.equal(reply().heard(1000), 'We are open,');
    assert.equal(reply().heard(1500), 'We are open, from nine');
  });
  it('grows with time', () => {
    let last = 0;
    for (let ms = 0; ms <= 2000; ms += 20) {
      const { length } = reply().heard(ms);
      assert.ok(length >= last);
      last = length;
    }
  });
  it('leaves out what stands in the history already', () => {
    const heard = reply();
    heard.take();
    heard.begin('Come in.');
    heard.add(600);
    assert.equal(heard.heardSinceTaken(2600), 'Come in.');
    assert.equal(heard.heardSinceTaken(1500), '');
  });
});
