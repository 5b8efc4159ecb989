import assert from 'node:assert/strict';
import type { CallEvent } from '../../../src/model/call-events.ts';
import { asTurnId } from '../../../src/model/ids.ts';
import type { TranscriptTurn } from '../../../src/model/turn.ts';
import { openStamps } from '../../../src/speech/stamps.ts';
import { LiveCaptions } from '../../../src/voice/live-captions.ts';

const turn = (role: 'user' | 'agent', text: string, via: TranscriptTurn['via'] = null) => ({
  id: asTurnId('trn_1'),
  index: 0,
  role,
  text,
  generatedText: null,
  isInterrupted: false,
  via,
  startedAtMs: 0,
  endedAtMs: 0,
  stamps: openStamps(),
});

describe('live captions', () => {
  let sent: CallEvent[];
  let isOpen: boolean;
  let captions: LiveCaptions;

  beforeEach(() => {
    sent = [];
    isOpen = true;
    captions = new LiveCaptions((text) => {
      if (isOpen) sent.push(JSON.parse(text) as CallEvent);
      return isOpen;
    });
  });

  it('keep one id for all versions of an utterance, on each side', () => {
    captions.onCaption('user', 'flip');
    captions.onCaption('agent', 'Hello');
    captions.onCaption('user', 'flip a');
    captions.onTurn(turn('user', 'flip a coin', 'speech'));
    captions.onTurn(turn('user', 'again', 'speech'));
    const ids = sent.map((event) => (event.type === 'caption' ? event.turn_id : ''));
    assert.equal(ids[0], ids[2]);
    assert.equal(ids[0], ids[3]);
    assert.equal(new Set(ids).size, 3);
    assert.deepEqual(
      sent.map((event) => event.type === 'caption' && event.is_final),
      [false, false, false, true, true],
    );
  });

  it('wait in order while the channel is closed, the latest 64 of them', () => {
    isOpen = false;
    for (let i = 0; i < 70; i += 1) captions.onTurn(turn('agent', String(i)));
    isOpen = true;
    captions.flush();
    captions.onEnded('time-limit');
    assert.equal(sent.length, 65);
    assert.equal(sent[0]?.type === 'caption' && sent[0].text, '6');
    assert.deepEqual(sent.at(-1), { type: 'ended', reason: 'time-limit' });
  });

  it('show what the keypad said beside what was being said aloud', () => {
    captions.onCaption('user', 'my number is');
    captions.onTurn(turn('user', '42', 'digits'));
    const ids = sent.map((event) => event.type === 'caption' && event.turn_id);
    assert.notEqual(ids[0], ids[1]);
  });
});
