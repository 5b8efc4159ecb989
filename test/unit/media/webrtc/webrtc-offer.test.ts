import assert from 'node:assert/strict';
import { assert as assertHolds, nat, property, string } from 'fast-check';
import { MediaError } from '../../../../src/media/media-error.ts';
import { parseWebRtcOffer } from '../../../../src/media/webrtc/webrtc-offer.ts';
import { BROWSER_OFFER } from '../../../support/browser-offer.ts';

function without(line: string): string {
  return BROWSER_OFFER.replaceAll(`${line}\r\n`, '');
}

describe('a WebRTC offer', () => {
  it('is read as a browser writes it', () => {
    const { fingerprint, ...offer } = parseWebRtcOffer(BROWSER_OFFER);
    assert.match(fingerprint, /^sha-256 5C:45:/);
    assert.deepEqual(offer, {
      media: [
        {
          use: 'audio',
          kind: 'audio',
          protocol: 'UDP/TLS/RTP/SAVPF',
          format: '111',
          mid: '0',
        },
        {
          use: 'events',
          kind: 'application',
          protocol: 'UDP/DTLS/SCTP',
          format: 'webrtc-datachannel',
          mid: '1',
        },
      ],
      audioMid: '0',
      eventsMid: '1',
      sctpPort: 5000,
      iceUfrag: '9QJk',
      icePwd: 'Vx6MAS2SYV5lHiTx1WyJJrZy',
      setup: 'actpass',
      opusPayloadType: 111,
      opusUseDtx: false,
      opusUseFec: true,
      opusMaxBitrateBps: null,
      telephoneEventPayloadType: 110,
      telephoneEventClockRateHz: 48000,
      direction: 'sendrecv',
    });
  });

  it('may end its lines with a bare line feed, and may offer key presses at 8 kHz only', () => {
    const offer = parseWebRtcOffer(
      without('a=rtpmap:110 telephone-event/48000').replaceAll('\r', ''),
    );
    assert.equal(offer.telephoneEventPayloadType, 126);
    assert.equal(offer.telephoneEventClockRateHz, 8000);
  });

  it('keeps the place of lines that are refused', () => {
    const video = 'm=video 9 UDP/TLS/RTP/SAVPF 96\r\na=mid:v\r\na=rtpmap:96 VP8/90000\r\n';
    const at = BROWSER_OFFER.indexOf('m=audio');
    const { media } = parseWebRtcOffer(
      BROWSER_OFFER.slice(0, at) + video + BROWSER_OFFER.slice(at),
    );
    assert.deepEqual(
      media.map(({ use }) => use),
      ['rejected', 'audio', 'events'],
    );
  });

  it('turns the direction round', () => {
    const listenOnly = parseWebRtcOffer(BROWSER_OFFER.replace('a=sendrecv', 'a=recvonly'));
    assert.equal(listenOnly.direction, 'sendonly');
  });

  it('has its data channel refused when it is not bundled', () => {
    const offer = parseWebRtcOffer(BROWSER_OFFER.replace('BUNDLE 0 1', 'BUNDLE 0'));
    assert.equal(offer.eventsMid, null);
  });

  const FAULTS: readonly (readonly [string, string, string])[] = [
    ['is too large', BROWSER_OFFER + 'a=x\r\n'.repeat(4000), 'MEDIA_OFFER_TOO_LARGE'],
    ['is empty', '', 'MEDIA_OFFER_INVALID'],
    ['is JSON', '{"sdp":"v=0"}', 'MEDIA_OFFER_INVALID'],
    ['has no m= line', 'v=0\r\n', 'MEDIA_OFFER_INVALID'],
    ['has a control character', BROWSER_OFFER.replace('9QJk', '9Q\0k'), 'MEDIA_OFFER_INVALID'],
    [
      'has a short ICE password',
      BROWSER_OFFER.replaceAll('Vx6MAS2SYV5lHiTx1WyJJrZy', 'short'),
      'MEDIA_OFFER_INVALID',
    ],
    [
      'has no fingerprint',
      BROWSER_OFFER.replaceAll(/a=fingerprint.*\r\n/g, ''),
      'MEDIA_OFFER_UNSUPPORTED',
    ],
    [
      'has a SHA-1 fingerprint',
      BROWSER_OFFER.replaceAll('sha-256', 'sha-1'),
      'MEDIA_OFFER_UNSUPPORTED',
    ],
    ['has a cut fingerprint', BROWSER_OFFER.replaceAll(':84:7B', ':84'), 'MEDIA_OFFER_INVALID'],
    [
      'is an answer by its setup',
      BROWSER_OFFER.replaceAll('actpass', 'holdconn'),
      'MEDIA_OFFER_INVALID',
    ],
    ['lacks a mid', BROWSER_OFFER.replace('a=mid:0\r\n', ''), 'MEDIA_OFFER_INVALID'],
    ['has no Opus', without('a=rtpmap:111 opus/48000/2'), 'MEDIA_OFFER_UNSUPPORTED'],
    ['has no rtcp-mux', without('a=rtcp-mux'), 'MEDIA_OFFER_UNSUPPORTED'],
    [
      'is plain RTP',
      BROWSER_OFFER.replace('UDP/TLS/RTP/SAVPF', 'RTP/AVP'),
      'MEDIA_OFFER_UNSUPPORTED',
    ],
    [
      'has its audio switched off',
      BROWSER_OFFER.replace('m=audio 47948', 'm=audio 0'),
      'MEDIA_OFFER_UNSUPPORTED',
    ],
    [
      'has two audio lines',
      BROWSER_OFFER + 'm=audio 9 UDP/TLS/RTP/SAVPF 111\r\n',
      'MEDIA_OFFER_UNSUPPORTED',
    ],
    [
      'has nine m= lines',
      BROWSER_OFFER + 'm=video 0 UDP/TLS/RTP/SAVPF 96\r\n'.repeat(7),
      'MEDIA_OFFER_INVALID',
    ],
  ];
  for (const [fault, sdp, code] of FAULTS) {
    it(`is refused when it ${fault}`, () => {
      assert.throws(() => parseWebRtcOffer(sdp), { code });
    });
  }

  it('never quotes itself in an error', () => {
    const secret = BROWSER_OFFER.replace('m=audio 47948', 'm=audio 203.0.113.9');
    assert.throws(
      () => parseWebRtcOffer(secret),
      (error: MediaError) => !error.message.includes('203.0.113.9'),
    );
  });

  it('ends in an offer or a MediaError, whatever is changed in it', () => {
    const position = nat(BROWSER_OFFER.length);
    assertHolds(
      property(position, position, string({ maxLength: 40 }), (from, to, text) => {
        const sdp =
          BROWSER_OFFER.slice(0, Math.min(from, to)) +
          text +
          BROWSER_OFFER.slice(Math.max(from, to));
        try {
          assert.doesNotMatch(JSON.stringify(parseWebRtcOffer(sdp)), /\\r|\\n/);
        } catch (error) {
          assert.ok(error instanceof MediaError, String(error));
        }
      }),
      { numRuns: 500 },
    );
  });
});
