import assert from 'node:assert/strict';
import { RtpTimeout } from '../../../../src/media/rtp/rtp-timeout.ts';

describe('the media timeout', () => {
  it('fires once after 30 s without RTP, and again only after a sign of life', () => {
    const timeout = new RtpTimeout(30_000, 0);
    timeout.onRtp(1000);
    assert.equal(timeout.check(30_999), false);
    assert.equal(timeout.check(31_000), true);
    assert.equal(timeout.check(90_000), false);
    timeout.onRtp(91_000);
    assert.equal(timeout.check(121_000), true);
  });

  it('takes RTCP for life only where silence is legal', () => {
    const timeout = new RtpTimeout(30_000, 0);
    timeout.onRtcp(20_000);
    assert.equal(timeout.check(30_000), true);
    timeout.expect('may-be-silent', 30_000);
    timeout.onRtcp(50_000);
    assert.equal(timeout.check(79_999), false);
    assert.equal(timeout.check(80_000), true);
  });

  it('does not run on hold, also for a side that stops its RTCP then', () => {
    const timeout = new RtpTimeout(30_000, 0);
    timeout.onRtcp(500);
    timeout.expect('nothing', 1000);
    timeout.onRtcp(2000);
    assert.equal(timeout.check(1_000_000), false);
  });

  it('starts a new wait when the hold ends', () => {
    const timeout = new RtpTimeout(30_000, 0);
    timeout.expect('nothing', 1000);
    timeout.expect('audio', 500_000);
    assert.equal(timeout.check(529_999), false);
    assert.equal(timeout.check(530_000), true);
  });
});
