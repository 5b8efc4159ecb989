import assert from 'node:assert/strict';
import { FRAME_BYTES_MAX, FrameReader } from '../../../src/sip-engine/drachtio/frame-reader.ts';
import { SipEngineError } from '../../../src/sip-engine/engine-error.ts';
import { DEFAULT_GUARD_LIMITS, SourceGuard } from '../../../src/sip-engine/guard/source-guard.ts';
import { StreamError, StreamReader } from '../../../src/sip-engine/transport/stream-reader.ts';

const MESSAGE = 'OPTIONS sip:a@b SIP/2.0\r\nl: 4\r\n\r\nbody';

describe('the SIP stream reader', () => {
  it('cuts messages whatever way the octets are split', () => {
    const all = Buffer.from(MESSAGE + MESSAGE);
    for (let cut = 1; cut < all.length; cut++) {
      const reader = new StreamReader();
      const found = [
        ...reader.push(all.subarray(0, cut)).messages,
        ...reader.push(all.subarray(cut)).messages,
      ];
      assert.deepEqual(found.map(String), [MESSAGE, MESSAGE]);
      assert.equal(reader.pendingBytes, 0);
    }
  });

  it('counts pings and skips line ends between messages', () => {
    const reader = new StreamReader();
    assert.equal(reader.push(Buffer.from('\r\n\r\n')).pings, 1);
    const { messages, pings } = reader.push(Buffer.from(`\r\n${MESSAGE}\r\n`));
    assert.deepEqual([messages.length, pings], [1, 0]);
  });

  it('gives up where no end can be found', () => {
    for (const text of [
      'A sip:a SIP/2.0\r\n\r\n',
      'A\r\nl: 1\r\nContent-Length: 2\r\n\r\n',
      'A\r\nl: 99999999\r\n\r\n',
      'x'.repeat(40_000),
    ]) {
      assert.throws(() => new StreamReader().push(Buffer.from(text)), StreamError);
    }
  });
});

describe('the frame reader', () => {
  it('cuts frames of octets, not characters, whatever way they are split', () => {
    const payload = 'id|sip||\r\nMESSAGE sip:grüße@b SIP/2.0\r\n\r\na|b#c';
    const all = Buffer.from(`${Buffer.byteLength(payload)}#${payload}7#id|ping`);
    for (let cut = 1; cut < all.length; cut++) {
      const reader = new FrameReader();
      const frames = [...reader.push(all.subarray(0, cut)), ...reader.push(all.subarray(cut))];
      assert.deepEqual(
        frames.map(({ tokens }) => tokens),
        [
          ['id', 'sip', '', ''],
          ['id', 'ping'],
        ],
      );
      assert.equal(frames[0]?.message.toString(), payload.slice(payload.indexOf('\r\n') + 2));
    }
  });

  it('takes a frame of a hundred thousand octets', () => {
    const payload = `id|sip||\r\n${'x'.repeat(100_000)}`;
    assert.equal(new FrameReader().push(Buffer.from(`${payload.length}#${payload}`)).length, 1);
  });

  it('refuses lengths that are none', () => {
    for (const text of ['#', 'abc', '0#', '-5#id', '123456789', `${FRAME_BYTES_MAX + 1}#`]) {
      assert.throws(() => new FrameReader().push(Buffer.from(text)), SipEngineError, text);
    }
  });
});

describe('the source guard', () => {
  const guard = (over: Partial<typeof DEFAULT_GUARD_LIMITS> = {}): SourceGuard =>
    new SourceGuard({
      limits: { ...DEFAULT_GUARD_LIMITS, ...over },
      allow: (address) => address === '192.0.2.1',
    });

  it('hears loopback and the allowed, and nobody else', () => {
    const it = guard();
    assert.deepEqual(
      ['127.0.0.9', '::1', '192.0.2.1', '198.51.100.1'].map((a) => it.admit(a, 0)),
      [true, true, true, false],
    );
    assert.equal(it.droppedUnknown, 1);
    it.allow = () => true;
    assert.equal(it.admit('198.51.100.1', 0), true);
  });

  it('gives each source its own budget', () => {
    const it = guard({ packetsPerSecond: 10, packetsBurst: 5 });
    const admitted = Array.from({ length: 10 }, () => it.admit('127.0.0.1', 0)).filter(Boolean);
    assert.equal(admitted.length, 5);
    assert.equal(it.admit('192.0.2.1', 0), true);
    assert.equal(it.admit('127.0.0.1', 100), true);
    assert.equal(it.admit('127.0.0.1', 100), false);
    assert.equal(it.droppedRate, 6);
  });

  it('remembers no more sources than it may', () => {
    const it = guard({ sourcesMax: 3, packetsBurst: 1, packetsPerSecond: 0.001 });
    it.allow = () => true;
    const admitted = Array.from({ length: 50 }, (_, i) => it.admit(`198.51.100.${i}`, 0)).filter(
      Boolean,
    );
    assert.equal(admitted.length, 4);
  });

  it('calls a late loop overload for a second, also when no timer fires after that', () => {
    const it = guard();
    it.noteLateness(10, 0);
    assert.equal(it.isOverloaded(0), false);
    it.noteLateness(600, 1000);
    assert.equal(it.isOverloaded(1000), true);
    assert.equal(it.isOverloaded(1900), true);
    assert.equal(it.isOverloaded(2100), false);
  });
});

describe('keep-alives in a stream', () => {
  const read = (text: string) => new StreamReader().push(Buffer.from(text));

  it('are pings of two line ends, and pongs of one', () => {
    assert.deepEqual(read('\r\n\r\n'), { messages: [], pings: 1, hasPong: false });
    assert.deepEqual(read('\r\n'), { messages: [], pings: 0, hasPong: true });
    assert.deepEqual(read('\r\n\r\n\r\n'), { messages: [], pings: 1, hasPong: true });
  });
});
