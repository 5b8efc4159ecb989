import assert from 'node:assert/strict';
import { ReceptionStatistics } from '../../../../src/media/rtp/reception-statistics.ts';

const SSRC = 77;

function feed(statistics: ReceptionStatistics, sequences: readonly number[], ssrc = SSRC): void {
  for (const sequence of sequences) {
    statistics.onPacket(ssrc, sequence & 0xffff, (sequence * 160) >>> 0, sequence * 20);
  }
}

describe('reception statistics (RFC 3550 appendix A)', () => {
  it('counts nothing lost of a whole stream that goes round', () => {
    const statistics = new ReceptionStatistics(8000);
    feed(statistics, [65533, 65534, 65535, 65536, 65537]);
    assert.equal(statistics.lost, 0);
    assert.equal(statistics.takeReport(0, 0).highestSequence, 65537);
  });

  it('gives the fraction lost of each interval and the total', () => {
    const statistics = new ReceptionStatistics(8000);
    feed(statistics, [1, 2, 4, 5]);
    const first = statistics.takeReport(0, 0);
    assert.deepEqual([first.fractionLost, first.cumulativeLost], [51, 1]);
    feed(statistics, [6, 7, 8, 9]);
    const second = statistics.takeReport(0, 0);
    assert.deepEqual([second.fractionLost, second.cumulativeLost], [0, 1]);
  });

  it('does not take reordering for loss', () => {
    const statistics = new ReceptionStatistics(8000);
    feed(statistics, [1, 3, 2, 4]);
    assert.equal(statistics.lost, 0);
  });

  it('keeps the total when the sender changes its SSRC', () => {
    const statistics = new ReceptionStatistics(8000);
    feed(statistics, [1, 2, 4]);
    feed(statistics, [30000, 30001, 30003], SSRC + 1);
    assert.equal(statistics.lost, 2);
    assert.equal(statistics.received, 6);
  });

  it('begins anew when two packets agree on a jump', () => {
    const statistics = new ReceptionStatistics(8000);
    feed(statistics, [1, 2, 3, 20_000, 20_001, 20_002]);
    assert.ok(statistics.lost <= 1, `${statistics.lost}`);
  });

  it('measures no jitter of a regular stream, and 1/16 of each deviation', () => {
    const statistics = new ReceptionStatistics(8000);
    feed(statistics, [1, 2, 3]);
    assert.equal(statistics.jitterMs, 0);
    statistics.onPacket(SSRC, 4, 4 * 160, 4 * 20 + 16);
    assert.equal(statistics.jitterMs, 1);
  });

  it('does not take a pause or the wrap of the timestamp for jitter', () => {
    const statistics = new ReceptionStatistics(8000);
    statistics.onPacket(SSRC, 1, 0xffffff60, 0);
    statistics.onPacket(SSRC, 2, 0, 20);
    assert.equal(statistics.jitterMs, 0);
    statistics.onPacket(SSRC, 3, 160, 5000);
    assert.equal(statistics.jitterMs, 0);
  });
});
