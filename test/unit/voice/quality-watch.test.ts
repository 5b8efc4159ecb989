import assert from 'node:assert/strict';
import type { LegReport } from '../../../src/model/media.ts';
import { QualityWatch } from '../../../src/voice/quality-watch.ts';

const START: LegReport = {
  codec: 'pcmu',
  encryption: null,
  packetsSent: 0,
  packetsReceived: 0,
  packetsLost: 0,
  packetsLate: 0,
  packetsDuplicate: 0,
  packetsFromStrangers: 0,
  packetsMalformed: 0,
  packetsUnauthenticated: 0,
  packetsReplayed: 0,
  framesConcealed: 0,
  jitterMs: 2,
  roundTripMs: 30,
  remoteFractionLost: null,
};

describe('the watch of media quality', () => {
  let watch: QualityWatch;
  let report: LegReport;

  beforeEach(() => {
    watch = new QualityWatch();
    report = START;
    assert.equal(watch.look(report), null, 'the first look only begins');
  });

  const window = (received: number, change: Partial<LegReport> = {}) => {
    report = { ...report, packetsReceived: report.packetsReceived + received, ...change };
    return watch.look(report);
  };
  const missing = (lost: number, late = 0) => ({
    packetsLost: report.packetsLost + lost,
    packetsLate: report.packetsLate + late,
  });

  it('tells of lost and late packets with the figures of their window alone', () => {
    assert.equal(window(250), null);
    assert.equal(window(245, missing(5)), null, 'one in fifty is no news');
    assert.deepEqual(window(200, missing(30, 20)), {
      type: 'quality-degraded',
      fractionLost: 0.2,
      remoteFractionLost: null,
      jitterMs: 2,
      roundTripMs: 30,
    });
  });

  it('tells of a spell once, and again only after it was good', () => {
    assert.notEqual(window(200, missing(50)), null);
    assert.equal(window(200, missing(50)), null);
    assert.equal(window(240, missing(10)), null, 'neither good nor bad');
    assert.equal(window(200, missing(50)), null);
    assert.equal(window(250), null);
    assert.notEqual(window(200, missing(50)), null);
  });

  it('believes what the far side says, and looks at jitter', () => {
    assert.equal(window(250, { remoteFractionLost: 0.1 })?.remoteFractionLost, 0.1);
    assert.equal(window(250, { remoteFractionLost: 0 }), null);
    assert.equal(window(250, { jitterMs: 75 })?.jitterMs, 75);
  });

  it('says nothing of a hold or a pause', () => {
    assert.equal(window(10, { ...missing(10), jitterMs: 90 }), null);
  });
});
