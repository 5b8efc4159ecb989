import assert from 'node:assert/strict';
import { DigitSender } from '../../../../src/media/dtmf/digit-sender.ts';
import { dtmfTone } from '../../../../src/media/dtmf/dtmf-tones.ts';
import { TelephoneEventReceiver } from '../../../../src/media/dtmf/telephone-event-receiver.ts';
import { MediaError } from '../../../../src/media/media-error.ts';
import { amplitudeAt } from '../../../support/audio.ts';

interface Update {
  readonly at: number;
  readonly duration: number;
  readonly isEnd?: boolean;
  readonly hasMarker?: boolean;
}

/** What is reported when these packets of the digit 5 arrive. */
function digits(updates: readonly Update[], receiver = new TelephoneEventReceiver(8000, 8000)) {
  return updates
    .map(({ at, duration, isEnd = false, hasMarker = false }) => {
      const payload = Buffer.from([5, isEnd ? 0x8a : 0x0a, duration >> 8, duration & 0xff]);
      return receiver.onPacket(payload, 0, 4, at >>> 0, hasMarker) ?? '';
    })
    .join('');
}

function press(at: number, frames: number): Update[] {
  const updates = Array.from({ length: frames }, (_, n) => ({
    at,
    duration: (n + 1) * 160,
    hasMarker: n === 0,
  }));
  const end = { at, duration: frames * 160, isEnd: true };
  return [...updates, end, end, end];
}

describe('receiving telephone events (RFC 4733)', () => {
  it('reports a press once, at its first packet', () => {
    assert.equal(digits(press(1000, 1).slice(0, 1)), '5');
    assert.equal(digits(press(1000, 5)), '5');
  });

  it('reports it when the start was lost, and when only an end came', () => {
    assert.equal(digits(press(1000, 5).slice(3)), '5');
    assert.equal(digits(press(1000, 5).slice(-1)), '5');
  });

  it('tells two presses of one key apart when the first one’s end was lost', () => {
    assert.equal(digits([...press(1000, 5).slice(0, 5), ...press(3000, 5)]), '55');
    assert.equal(digits([...press(1000, 5).slice(0, 5), ...press(4000, 5).slice(2)]), '55');
  });

  it('ignores late packets of an earlier press', () => {
    assert.equal(digits([...press(1000, 5), ...press(3000, 5), ...press(1000, 5).slice(2)]), '55');
  });

  it('takes the segments of a long press for one press (§2.5.1.3)', () => {
    const first = { at: 1000, duration: 0xffff };
    const second = { at: 1000 + 0xffff, duration: 160 };
    const third = { at: 1000 + 0xffff, duration: 320, isEnd: true };
    assert.equal(digits([first, second, third]), '5');
  });

  it('takes a sender that stamps every update anew for one press', () => {
    const updates = Array.from({ length: 10 }, (_, n) => ({
      at: 1000 + n * 160,
      duration: (n + 1) * 160,
      hasMarker: n === 0,
    }));
    assert.equal(digits(updates), '5');
  });

  it('counts durations on its own clock and timestamps on the audio’s', () => {
    const receiver = new TelephoneEventReceiver(8000, 48000);
    const first = { at: 1000, duration: 0xffff };
    const second = { at: 1000 + 0xffff * 6, duration: 160 };
    assert.equal(digits([first, second], receiver), '5');
    assert.equal(digits(press(900_000, 5), new TelephoneEventReceiver(48000, 48000)), '5');
  });

  it('goes round with the timestamp', () => {
    assert.equal(digits([...press(0xffffff00, 5), ...press(0x00000f00, 5)]), '55');
  });

  it('knows no digit in a flash or a cut packet', () => {
    const receiver = new TelephoneEventReceiver(8000, 8000);
    assert.equal(receiver.onPacket(Buffer.from([16, 0, 0, 160]), 0, 4, 0, true), null);
    assert.equal(receiver.onPacket(Buffer.from([5, 0, 0]), 0, 3, 0, true), null);
  });
});

describe('sending telephone events (RFC 4733)', () => {
  function sendAll(text: string): { timestamp: number; marker: boolean; bytes: string }[] {
    const sender = new DigitSender();
    void sender.send(text);
    const sent = [];
    for (let now = 5000; sender.isActive; now += 160) {
      sender.next(now, 160);
      if (sender.isPause) continue;
      const { rtpTimestamp: timestamp, hasMarker: marker, payload } = sender;
      sent.push({ timestamp, marker, bytes: payload.toString('hex') });
    }
    return sent;
  }

  it('gives every packet the stamp of the start, a growing duration, and the end three times', () => {
    const sent = sendAll('5');
    assert.deepEqual(
      sent.map(({ bytes }) => bytes),
      ['050a00a0', '050a0140', '050a01e0', '050a0280', '058a0320', '058a0320', '058a0320'],
    );
    assert.deepEqual(new Set(sent.map(({ timestamp }) => timestamp)), new Set([5000]));
    assert.deepEqual(
      sent.map(({ marker }) => marker),
      [true, false, false, false, false, false, false],
    );
  });

  it('pauses between digits', () => {
    const sent = sendAll('12');
    assert.deepEqual([...new Set(sent.map(({ timestamp }) => timestamp))], [5000, 5000 + 1600]);
  });

  it('is understood by the receiver', () => {
    const receiver = new TelephoneEventReceiver(8000, 8000);
    const heard = sendAll('0123456789*#ABCD99').map(({ timestamp, marker, bytes }) =>
      receiver.onPacket(Buffer.from(bytes, 'hex'), 0, 4, timestamp, marker),
    );
    assert.equal(heard.filter((digit) => digit !== null).join(''), '0123456789*#ABCD99');
  });

  it('resolves when the last pause is over, and when it is closed', async () => {
    const sender = new DigitSender();
    const sent = sender.send('1');
    for (let tick = 0; tick < 10; tick += 1) sender.next(tick * 160, 160);
    await sent;
    const canceled = sender.send('1234');
    sender.close();
    await canceled;
    assert.equal(sender.isActive, false);
  });

  it('refuses what no keypad has, and more than 64 digits', () => {
    const isInvalid = (error: unknown) =>
      error instanceof MediaError && error.code === 'MEDIA_DIGITS_INVALID';
    assert.throws(() => new DigitSender().send('12x'), isInvalid);
    assert.throws(() => new DigitSender().send('1'.repeat(65)), isInvalid);
  });
});

describe('keypad tones (ITU-T Q.23)', () => {
  for (const [digit, row, column] of [
    ['1', 697, 1209],
    ['5', 770, 1336],
    ['#', 941, 1477],
    ['D', 941, 1633],
  ] as const) {
    it(`of ${digit} are ${row} and ${column} Hz, then silence`, () => {
      const pcm = dtmfTone(digit, 8000, 100, 50);
      const sounding = pcm.subarray(0, 800);
      for (const frequency of [697, 770, 852, 941, 1209, 1336, 1477, 1633]) {
        const isThere = frequency === row || frequency === column;
        assert.equal(amplitudeAt(frequency, sounding, 8000) > 3000, isThere, `${frequency} Hz`);
      }
      assert.ok(pcm.subarray(800).every((sample) => sample === 0));
    });
  }
});
