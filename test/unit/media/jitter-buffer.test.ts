import assert from 'node:assert/strict';
import { JitterBuffer, type Popped } from '../../../src/media/jitter-buffer.ts';
import { seededRandom } from '../../support/random.ts';

const TICKS = 160;

/** Pushes packets whose payload is their own sequence number. */
class Rig {
  readonly buffer = new JitterBuffer(TICKS);

  push(...sequences: number[]): void {
    for (const sequence of sequences) this.pushAt(sequence, (sequence * TICKS) >>> 0);
  }

  pushAt(sequence: number, timestamp: number): void {
    const packet = Buffer.alloc(2);
    packet.writeUInt16BE(sequence & 0xffff);
    this.buffer.push(sequence & 0xffff, timestamp, packet, 0, 2);
  }

  pop(): number | Exclude<Popped, 'packet'> {
    const popped = this.buffer.pop();
    if (popped !== 'packet') return popped;
    this.buffer.advance(TICKS);
    return this.buffer.packet.readUInt16BE(this.buffer.payloadStart);
  }

  pops(count: number): (number | string)[] {
    return Array.from({ length: count }, () => this.pop());
  }
}

describe('a jitter buffer', () => {
  it('fills to two packets before it plays, and plays in order', () => {
    const rig = new Rig();
    rig.push(10);
    assert.equal(rig.pop(), 'waiting');
    rig.push(12, 11);
    assert.deepEqual(rig.pops(3), [10, 11, 12]);
  });

  it('does not wait for ever for company', () => {
    const rig = new Rig();
    rig.push(10);
    assert.deepEqual(rig.pops(3), ['waiting', 'waiting', 10]);
  });

  it('takes packets that overtook the first', () => {
    const rig = new Rig();
    rig.push(11, 10);
    assert.deepEqual(rig.pops(2), [10, 11]);
  });

  it('asks for concealment of a lost packet when the next is here', () => {
    const rig = new Rig();
    rig.push(1, 2, 4, 5);
    assert.deepEqual(rig.pops(5), [1, 2, 'lost', 4, 5]);
  });

  it('shows the packet after a lost one, for the redundancy in it', () => {
    const rig = new Rig();
    rig.push(1, 2, 4);
    rig.pops(3);
    assert.ok(rig.buffer.peekNext());
    assert.equal(rig.buffer.packet.readUInt16BE(0), 4);
  });

  it('goes round at 65535', () => {
    const rig = new Rig();
    rig.push(65534, 65535, 65536, 65537);
    assert.deepEqual(rig.pops(4), [65534, 65535, 0, 1]);
  });

  it('tells duplicates from late packets', () => {
    const rig = new Rig();
    rig.push(1, 2, 2, 4);
    rig.pops(4);
    rig.push(2, 3);
    assert.equal(rig.buffer.duplicateCount, 2);
    assert.equal(rig.buffer.lateCount, 1);
  });

  it('conceals three frames when it runs dry, then gives silence', () => {
    const rig = new Rig();
    rig.push(1, 2);
    assert.deepEqual(rig.pops(7), [1, 2, 'lost', 'lost', 'lost', 'waiting', 'waiting']);
  });

  it('plays a packet that came just too late and is deeper from then on', () => {
    const rig = new Rig();
    rig.push(1, 2);
    assert.deepEqual(rig.pops(3), [1, 2, 'lost']);
    rig.push(3, 4);
    assert.deepEqual(rig.pops(2), [3, 4]);
    assert.equal(rig.buffer.targetDepth, 3);
  });

  it('does not conceal twice a packet that was lost while it ran dry', () => {
    const rig = new Rig();
    rig.push(1, 2);
    assert.deepEqual(rig.pops(3), [1, 2, 'lost']);
    rig.push(4, 5);
    assert.deepEqual(rig.pops(2), [4, 5]);
  });

  it('never gets deeper than four packets', () => {
    const rig = new Rig();
    rig.push(1, 2);
    rig.pops(2);
    for (let sequence = 3; sequence < 60; sequence += 1) {
      rig.pop();
      rig.push(sequence);
      rig.pop();
    }
    assert.equal(rig.buffer.targetDepth, 4);
  });

  it('gets shallower after five calm seconds', () => {
    const rig = new Rig();
    rig.push(1, 2);
    for (let sequence = 3; sequence < 260; sequence += 1) {
      rig.push(sequence);
      assert.equal(rig.pop(), sequence - 2);
    }
    assert.equal(rig.buffer.targetDepth, 1);
    assert.equal(rig.buffer.excess, 1);
  });

  it('plays the silence of a sender that paused (DTX), by its timestamps', () => {
    const rig = new Rig();
    rig.push(1, 2);
    rig.pushAt(3, 6 * TICKS);
    assert.deepEqual(rig.pops(6), [1, 2, 'silence', 'silence', 'silence', 3]);
  });

  it('fills again after a long pause', () => {
    const rig = new Rig();
    rig.push(1, 2);
    rig.pops(20);
    rig.pushAt(3, 100 * TICKS);
    assert.equal(rig.pop(), 'waiting');
    rig.pushAt(4, 101 * TICKS);
    assert.deepEqual(rig.pops(2), [3, 4]);
    assert.equal(rig.buffer.targetDepth, 2);
  });

  it('plays on when the sender’s timestamps jump', () => {
    const rig = new Rig();
    rig.push(1, 2);
    rig.pushAt(3, 0x90000000);
    rig.pushAt(4, 0x90000000 + TICKS);
    assert.deepEqual(rig.pops(4), [1, 2, 3, 4]);
  });

  it('plays on when the sequence numbers jump', () => {
    const rig = new Rig();
    rig.push(1, 2);
    rig.pops(1);
    rig.push(40_000, 40_001);
    assert.deepEqual(rig.pops(2), [40_000, 40_001]);
  });

  it('gives silence, not concealment, for telephone events', () => {
    const rig = new Rig();
    rig.push(1, 2);
    rig.buffer.pushSilent(3);
    rig.buffer.pushSilent(4);
    rig.push(5);
    assert.deepEqual(rig.pops(7), [1, 2, 'silence', 'silence', 5, 'lost', 'lost']);
  });

  it('gives every packet once and in order through random loss, delay and duplication (seeded)', () => {
    for (let seed = 1; seed <= 20; seed += 1) {
      const random = seededRandom(seed);
      const rig = new Rig();
      const arrivals: number[][] = Array.from({ length: 1020 }, () => []);
      for (let sequence = 0; sequence < 1000; sequence += 1) {
        if (random() < 0.05) continue;
        arrivals[sequence + Math.floor(random() * 3)]!.push(sequence);
        if (random() < 0.05) arrivals[sequence + 4]!.push(sequence);
      }
      const played: number[] = [];
      for (const batch of arrivals) {
        rig.push(...batch);
        const popped = rig.pop();
        if (typeof popped === 'number') played.push(popped);
      }
      assert.deepEqual(
        played,
        [...new Set(played)].sort((a, b) => a - b),
      );
      assert.ok(played.length > 900, `seed ${seed}: ${played.length} played`);
    }
  });
});
