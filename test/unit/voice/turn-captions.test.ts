import assert from 'node:assert/strict';
import { asTurnId } from '../../../src/model/ids.ts';
import { TurnCaptions } from '../../../src/voice/turn-captions.ts';

describe('captions of turns', () => {
  let captions: TurnCaptions;
  beforeEach(() => {
    let count = 0;
    captions = new TurnCaptions(() => asTurnId(`trn_${(count += 1)}`));
  });

  it('give a turn its name with its first words, and keep it to its end', () => {
    assert.equal(captions.said('user', 'flip').turnId, 'trn_1');
    assert.equal(captions.said('agent', 'Hello').turnId, 'trn_2');
    assert.equal(captions.said('user', 'flip a coin').turnId, 'trn_1');
    assert.equal(captions.finished({ role: 'user', via: 'speech' }), 'trn_1');
    assert.equal(captions.said('user', 'again').turnId, 'trn_3');
  });

  it('name a turn that was never shown', () => {
    assert.equal(captions.finished({ role: 'agent', via: null }), 'trn_1');
  });

  it('give what the keypad said a name of its own', () => {
    captions.said('user', 'one two');
    assert.equal(captions.finished({ role: 'user', via: 'digits' }), 'trn_2');
    assert.equal(captions.said('user', 'three').turnId, 'trn_3');
  });

  it('know what is being said now', () => {
    captions.said('user', '');
    captions.said('agent', 'Hello');
    assert.deepEqual(captions.open, [{ turnId: 'trn_2', role: 'agent', text: 'Hello' }]);
    captions.finished({ role: 'agent', via: null });
    assert.deepEqual(captions.open, []);
  });
});
