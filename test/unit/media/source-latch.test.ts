import assert from 'node:assert/strict';
import { SourceLatch } from '../../../src/media/source-latch.ts';

const PHONE = '192.0.2.1';
const NAT = '198.51.100.7';
const STRANGER = '203.0.113.9';

function signaled(): SourceLatch {
  const latch = new SourceLatch();
  latch.signal(PHONE, 4000);
  return latch;
}

describe('the source latch (RFC 4961)', () => {
  it('sends to the signaled address until something comes', () => {
    const latch = signaled();
    assert.deepEqual([latch.address, latch.port, latch.isLatched], [PHONE, 4000, false]);
  });

  it('latches at once on the signaled address', () => {
    const latch = signaled();
    assert.ok(latch.accept(PHONE, 4000, 1, 1, 0));
    assert.equal(latch.accept(STRANGER, 4000, 2, 1, 10), false);
    assert.equal(latch.accept(PHONE, 4002, 2, 1, 10), false);
    assert.equal(latch.strangerCount, 2);
    assert.equal(latch.address, PHONE);
  });

  it('follows a phone behind a NAT', () => {
    const latch = signaled();
    assert.ok(latch.accept(NAT, 61000, 1, 1, 0));
    assert.deepEqual([latch.address, latch.port], [NAT, 61000]);
  });

  it('lets the signaled address win over a faster stranger, within three seconds', () => {
    const latch = signaled();
    assert.ok(latch.accept(STRANGER, 9, 2, 1, 0));
    assert.ok(latch.accept(PHONE, 4000, 1, 1, 2900));
    assert.equal(latch.accept(STRANGER, 9, 2, 2, 2910), false);
    assert.equal(latch.address, PHONE);
  });

  it('is not taken over later, not even from the signaled address', () => {
    const latch = signaled();
    assert.ok(latch.accept(NAT, 61000, 1, 1, 0));
    assert.ok(latch.accept(NAT, 61000, 1, 2, 3100));
    assert.equal(latch.accept(PHONE, 4000, 2, 1, 3200), false);
  });

  it('lets in none of ten thousand packets of a stranger who guesses', () => {
    const latch = signaled();
    latch.accept(PHONE, 4000, 0x1234, 500, 0);
    let letIn = 0;
    for (let round = 0; round < 10_000; round += 1) {
      if (latch.accept(STRANGER, 9, round, round & 0xffff, 10_000 + round)) letIn += 1;
    }
    assert.equal(letIn, 0);
    assert.equal(latch.strangerCount, 10_000);
  });

  it('follows a rebound NAT after three packets that continue the silent stream', () => {
    const latch = signaled();
    latch.accept(PHONE, 4000, 0x1234, 500, 0);
    assert.equal(latch.accept(NAT, 7, 0x1234, 530, 600), false);
    assert.equal(latch.accept(NAT, 7, 0x1234, 531, 620), false);
    assert.equal(latch.accept(NAT, 7, 0x1234, 532, 640), true);
    assert.equal(latch.address, NAT);
  });

  it('does not follow a copy of the stream while the phone still talks', () => {
    const latch = signaled();
    for (let sequence = 0; sequence < 100; sequence += 1) {
      assert.ok(latch.accept(PHONE, 4000, 0x1234, sequence, sequence * 20));
      assert.equal(latch.accept(NAT, 7, 0x1234, sequence + 1, sequence * 20 + 1), false);
    }
  });

  it('opens again when a re-INVITE names another address, and only then', () => {
    const latch = signaled();
    latch.accept(NAT, 61000, 1, 1, 0);
    latch.signal(PHONE, 4000);
    assert.equal(latch.address, NAT);
    latch.signal(PHONE, 5000);
    assert.deepEqual([latch.address, latch.port], [PHONE, 5000]);
    assert.ok(latch.accept(PHONE, 5000, 1, 2, 10_000));
  });

  it('gives a stranger who waits for a re-INVITE no chance before the phone', () => {
    const latch = signaled();
    latch.accept(PHONE, 4000, 1, 1, 0);
    latch.signal(PHONE, 5000);
    assert.equal(latch.accept(STRANGER, 9, 2, 1, 10_000), false);
    assert.ok(latch.accept(PHONE, 4000, 1, 2, 10_010), 'the old source still flows');
    assert.equal(latch.accept(STRANGER, 9, 2, 2, 10_020), false);
    assert.ok(latch.accept(PHONE, 5000, 1, 3, 10_030));
    assert.equal(latch.port, 5000);
  });

  it('opens to a new NAT binding when neither address spoke for a second', () => {
    const latch = signaled();
    latch.accept(PHONE, 4000, 1, 1, 0);
    latch.signal(PHONE, 5000);
    assert.equal(latch.accept(NAT, 61000, 1, 1, 10_000), false);
    assert.ok(latch.accept(NAT, 61000, 1, 51, 11_001));
  });

  it('takes RTCP from the latched host alone: its media ports, or its SSRC', () => {
    const latch = signaled();
    latch.accept(PHONE, 4000, 77, 1, 0);
    assert.ok(latch.acceptControl(PHONE, 4000, 1));
    assert.ok(latch.acceptControl(PHONE, 4001, 1));
    assert.ok(latch.acceptControl(PHONE, 9999, 77));
    assert.equal(latch.acceptControl(PHONE, 9999, 1), false);
    assert.equal(latch.acceptControl(STRANGER, 4001, 77), false);
    assert.equal(latch.strangerCount, 2);
  });

  describe('that knows where signaling comes from', () => {
    const PRIVATE = '192.168.1.20';

    /** A phone behind a NAT: its description names an address that nobody can send from. */
    function behindNat(options = {}): SourceLatch {
      const latch = new SourceLatch(options);
      latch.signal(PRIVATE, 4000, NAT);
      return latch;
    }

    /** Packets of one source every 20 ms; gives how many were let in. */
    function send(latch: SourceLatch, from: string, fromMs: number, packets: number, ssrc = 9) {
      let letIn = 0;
      for (let index = 0; index < packets; index += 1) {
        if (latch.accept(from, 61_000, ssrc, index, fromMs + index * 20)) letIn += 1;
      }
      return letIn;
    }

    it('hears the phone from there at once', () => {
      const latch = behindNat();
      assert.ok(latch.accept(NAT, 61_000, 1, 1, 0));
      assert.deepEqual([latch.address, latch.port], [NAT, 61_000]);
    });

    it('lets in no packet of a stranger who is first, nor later', () => {
      const latch = behindNat();
      assert.equal(send(latch, STRANGER, 0, 40), 0, 'less than a second');
      assert.equal(latch.isLatched, false);
      assert.ok(latch.accept(NAT, 61_000, 1, 1, 810));
      assert.equal(send(latch, STRANGER, 820, 1000), 0);
      assert.equal(latch.strangerCount, 1040);
    });

    it('hears an unknown place that has spoken alone for a second', () => {
      const latch = behindNat();
      assert.equal(send(latch, STRANGER, 0, 60), 10);
      assert.equal(latch.address, STRANGER);
    });

    it('leaves an unknown place for a known one at any time', () => {
      const latch = behindNat();
      send(latch, STRANGER, 0, 500);
      assert.equal(latch.address, STRANGER);
      assert.ok(latch.accept(NAT, 61_000, 1, 1, 10_000));
      assert.equal(latch.address, NAT);
      assert.equal(send(latch, STRANGER, 10_020, 100), 0);
    });

    it('counts a second anew for a stream that has gaps or begins again', () => {
      const latch = behindNat();
      for (let round = 0; round < 20; round += 1) {
        assert.equal(send(latch, STRANGER, round * 1000, 30, round), 0);
      }
    });

    it('never hears an unknown place when it is strict', () => {
      const latch = behindNat({ isStrict: true });
      assert.equal(send(latch, STRANGER, 0, 1000), 0);
      assert.ok(latch.accept(NAT, 61_000, 1, 1, 30_000));
    });

    it('lets in none of ten thousand strangers who are there before the phone', () => {
      const latch = behindNat();
      let letIn = 0;
      for (let index = 0; index < 10_000; index += 1) {
        const address = `203.0.113.${index % 250}`;
        if (latch.accept(address, index, index, index & 0xffff, index / 20)) letIn += 1;
      }
      assert.ok(latch.accept(NAT, 61_000, 1, 1, 501));
      assert.equal(letIn, 0);
    });
  });
});

describe('the source latch of an encrypted leg', () => {
  it('follows the newest authentic packet wherever it comes from, and no older one', () => {
    const latch = signaled();
    latch.follow(PHONE, 4000, 1, 100, 0);
    latch.follow(NAT, 61_000, 1, 101, 20);
    assert.equal(latch.address, NAT);
    latch.follow(PHONE, 4000, 1, 99, 25);
    assert.equal(latch.address, NAT, 'held up on its way');
    latch.follow(PHONE, 4000, 1, 102, 40);
    assert.equal(latch.address, PHONE);
  });
});
