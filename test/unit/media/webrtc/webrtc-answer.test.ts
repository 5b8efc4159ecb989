import assert from 'node:assert/strict';
import { canonicalOffer, writeAnswer } from '../../../../src/media/webrtc/webrtc-answer.ts';
import { parseWebRtcOffer } from '../../../../src/media/webrtc/webrtc-offer.ts';
import { BROWSER_OFFER } from '../../../support/browser-offer.ts';

const LOCAL = {
  iceUfrag: 'abcd',
  icePwd: 'abcdefghijklmnopqrstuv',
  fingerprint: `sha-256 ${Array.from({ length: 32 }, () => 'AB').join(':')}`,
  setup: 'active',
};
const OPTIONS = {
  addresses: ['192.0.2.10', '2001:db8::10'],
  port: 40000,
  ssrc: 1234,
  cname: 'cname',
  version: 1,
};

describe('a WebRTC answer', () => {
  const answer = writeAnswer(parseWebRtcOffer(BROWSER_OFFER), LOCAL, OPTIONS);

  it('repeats the m= lines of the offer in order, and refuses the rest', () => {
    const video = `${BROWSER_OFFER}m=video 9 UDP/TLS/RTP/SAVPF 96 97\r\na=mid:2\r\n`;
    const withVideo = writeAnswer(parseWebRtcOffer(video), LOCAL, OPTIONS);
    assert.deepEqual(withVideo.match(/^m=.*$/gm), [
      'm=audio 9 UDP/TLS/RTP/SAVPF 111 110',
      'm=application 9 UDP/DTLS/SCTP webrtc-datachannel',
      'm=video 0 UDP/TLS/RTP/SAVPF 96',
    ]);
    assert.match(withVideo, /^a=group:BUNDLE 0 1$/m);
  });

  it('asks for wideband Opus with silence left out, and takes key presses', () => {
    assert.match(answer, /^a=fmtp:111 .*usedtx=1;maxplaybackrate=16000$/m);
    assert.match(answer, /^a=rtpmap:110 telephone-event\/48000$/m);
  });

  it('names each announced address as a host candidate, the first one preferred', () => {
    const candidates = answer.match(/^a=candidate:.*$/gm) ?? [];
    assert.equal(candidates.length, 2);
    const priorities = candidates.map((line) => Number(line.split(' ')[3]));
    assert.ok(priorities[0]! > priorities[1]!);
    assert.ok(priorities.every((priority) => priority < 2 ** 31));
  });

  it('hands libdatachannel no line of the stranger that was not checked', () => {
    const canonical = canonicalOffer(parseWebRtcOffer(BROWSER_OFFER));
    assert.doesNotMatch(canonical, /candidate|extmap|msid|192\.0\.2/);
    assert.match(canonical, /^a=ice-ufrag:9QJk$/m);
  });
});
