import assert from 'node:assert/strict';

import type { SrtpKeys } from '../../../../src/model/media.ts';
import type { AudioCapabilities } from '../../../../src/signaling/sdp/audio-answer.ts';
import { answerOffer, writeAnswer } from '../../../../src/signaling/sdp/audio-answer.ts';
import { makeOffer, offerAgain, readAnswer } from '../../../../src/signaling/sdp/audio-offer.ts';
import { SdpError } from '../../../../src/signaling/sdp/sdp-error.ts';
import { SdpOrigin } from '../../../../src/signaling/sdp/sdp-origin.ts';
import { OFFERS, offerWith } from './offers.ts';

const ALL: AudioCapabilities = { codecs: ['opus', 'g722', 'pcma', 'pcmu'], createSrtpKeys: null };
const LOCAL = { address: '198.51.100.5', port: 40_002 };
const REMOTE = { address: '192.0.2.9', port: 7000 };

const keysOf = (byte: number) => (suite: SrtpKeys['suite']) => ({
  suite,
  keySaltBase64: Buffer.alloc(suite === 'AEAD_AES_128_GCM' ? 28 : 30, byte).toString('base64'),
});
const isSdpError = (code: string) => (error: unknown) =>
  error instanceof SdpError && error.code === code;

describe('making an offer', () => {
  it('lists our codecs, keypad events at each clock, and rtcp-mux', () => {
    const { sdp } = makeOffer(ALL, LOCAL, new SdpOrigin(3));
    assert.deepEqual(sdp.split('\r\n').slice(5), [
      'm=audio 40002 RTP/AVP 111 9 8 0 101 110',
      'a=rtpmap:111 opus/48000/2',
      'a=fmtp:111 useinbandfec=1; stereo=0; sprop-stereo=0',
      'a=rtpmap:9 G722/8000',
      'a=rtpmap:8 PCMA/8000',
      'a=rtpmap:0 PCMU/8000',
      'a=rtpmap:101 telephone-event/8000',
      'a=fmtp:101 0-15',
      'a=rtpmap:110 telephone-event/48000',
      'a=fmtp:110 0-15',
      'a=ptime:20',
      'a=sendrecv',
      'a=rtcp-mux',
      '',
    ]);
  });

  it('leaves out keypad events of a clock that no codec has', () => {
    const { sdp } = makeOffer({ ...ALL, codecs: ['pcmu'] }, LOCAL, new SdpOrigin());
    assert.doesNotMatch(sdp, /48000/);
  });
});

describe('making an offer where they offered first', () => {
  it('keeps their sections and what their payload types mean', () => {
    const origin = new SdpOrigin(3);
    const agreed = answerOffer(OFFERS.linphone, ALL);
    writeAnswer(agreed, LOCAL, origin);
    const offer = offerAgain(agreed, { ...ALL, direction: 'sendonly' }, LOCAL, origin);
    assert.deepEqual(
      offer.sdp.split('\r\n').filter((line) => /^(o=|m=|a=rtpmap|a=send)/.test(line)),
      [
        'o=- 3 2 IN IP4 198.51.100.5',
        'm=audio 40002 RTP/AVPF 96 101',
        'a=rtpmap:96 opus/48000/2',
        'a=rtpmap:101 telephone-event/48000',
        'a=sendonly',
        'm=video 0 RTP/AVPF 96',
      ],
    );
    const theirs = writeAnswer(answerOffer(offer.sdp, ALL), REMOTE, new SdpOrigin());
    const parameters = readAnswer(offer, theirs);
    assert.equal(parameters.payloadType, 96);
    assert.equal(parameters.direction, 'sendonly');
  });

  it('that changes nothing is the description they have', () => {
    const origin = new SdpOrigin(3);
    const agreed = answerOffer(OFFERS.asterisk, ALL);
    assert.equal(writeAnswer(agreed, LOCAL, origin), offerAgain(agreed, ALL, LOCAL, origin).sdp);
  });
});

describe('reading an answer', () => {
  it('to our own offer by our own answer gives both sides the same', () => {
    const offer = makeOffer(ALL, LOCAL, new SdpOrigin());
    const answered = answerOffer(offer.sdp, { ...ALL, codecs: ['pcma', 'opus'] });
    const theirs = answered.parameters;
    const ours = readAnswer(offer, writeAnswer(answered, REMOTE, new SdpOrigin()));
    assert.equal(ours.codec, 'opus');
    assert.equal(ours.telephoneEventPayloadType, 110);
    assert.equal(ours.rtcpMux, true);
    assert.deepEqual([ours.remoteAddress, ours.remotePort], [REMOTE.address, REMOTE.port]);
    assert.deepEqual([theirs.remoteAddress, theirs.remotePort], [LOCAL.address, LOCAL.port]);
    assert.equal(ours.payloadType, theirs.payloadType);
  });

  it('gives each side the other one its keys', () => {
    const offer = makeOffer({ ...ALL, createSrtpKeys: keysOf(1) }, LOCAL, new SdpOrigin());
    const answered = answerOffer(offer.sdp, { ...ALL, createSrtpKeys: keysOf(2) });
    const ours = readAnswer(offer, writeAnswer(answered, REMOTE, new SdpOrigin())).srtp;
    assert.equal(ours?.local.suite, 'AEAD_AES_128_GCM');
    assert.deepEqual(ours?.local, answered.parameters.srtp?.remote);
    assert.deepEqual(ours?.remote, answered.parameters.srtp?.local);
    assert.notDeepEqual(ours?.local, ours?.remote);
  });

  it('leaves the choice by RTP/AVP with crypto lines, or insists by RTP/SAVP', () => {
    const optional = { ...ALL, createSrtpKeys: keysOf(1) };
    const required = { ...optional, isSrtpRequired: true };
    const plain = offerWith('m=audio 7000 RTP/AVP 0');
    const line = `a=crypto:2 AES_CM_128_HMAC_SHA1_80 inline:${'B'.repeat(40)}`;
    for (const [capabilities, protocol] of [
      [optional, 'RTP/AVP'],
      [required, 'RTP/SAVP'],
    ] as const) {
      const offer = makeOffer(capabilities, LOCAL, new SdpOrigin());
      assert.match(offer.sdp, new RegExp(`^m=audio \\d+ ${protocol} `, 'm'));
      assert.deepEqual(offer.sdp.match(/^a=crypto:\d \S+/gm), [
        'a=crypto:1 AEAD_AES_128_GCM',
        'a=crypto:2 AES_CM_128_HMAC_SHA1_80',
        'a=crypto:3 AES_CM_128_HMAC_SHA1_32',
      ]);
      // Some answer with the other protocol.
      for (const answered of ['RTP/AVP', 'RTP/SAVP']) {
        const answer = offerWith(`m=audio 7000 ${answered} 0`, line);
        assert.equal(readAnswer(offer, answer).srtp?.remote.keySaltBase64, 'B'.repeat(40));
      }
    }
    const offered = makeOffer(optional, LOCAL, new SdpOrigin());
    assert.equal(readAnswer(offered, plain).srtp, null);
    const insisted = makeOffer(required, LOCAL, new SdpOrigin());
    assert.throws(() => readAnswer(insisted, plain), isSdpError('SDP_SRTP_REQUIRED'));
  });

  it('keeps to the directions of a hold', () => {
    const offer = makeOffer({ ...ALL, direction: 'sendonly' }, LOCAL, new SdpOrigin());
    const answer = offerWith('m=audio 7000 RTP/AVP 0', 'a=recvonly');
    assert.equal(readAnswer(offer, answer).direction, 'sendonly');
  });

  const wrong: [string, string, string][] = [
    ['port 0', offerWith('m=audio 0 RTP/AVP 0'), 'SDP_NO_COMMON_CODEC'],
    ['a codec we did not offer', offerWith('m=audio 7000 RTP/AVP 18'), 'SDP_NO_COMMON_CODEC'],
    ['no section', offerWith('a=sendrecv'), 'SDP_ANSWER_MISMATCH'],
    [
      'two sections',
      offerWith('m=audio 7000 RTP/AVP 0', 'm=audio 0 RTP/AVP 0'),
      'SDP_ANSWER_MISMATCH',
    ],
    ['another protocol', offerWith('m=audio 7000 RTP/SAVP 0'), 'SDP_ANSWER_MISMATCH'],
    ['nonsense', 'hello', 'SDP_MALFORMED'],
  ];
  for (const [what, answer, code] of wrong) {
    it(`with ${what} is refused`, () => {
      const offer = makeOffer(ALL, LOCAL, new SdpOrigin());
      assert.throws(() => readAnswer(offer, answer), isSdpError(code));
    });
  }

  it('without a crypto line of ours is refused', () => {
    const offer = makeOffer({ ...ALL, createSrtpKeys: keysOf(1) }, LOCAL, new SdpOrigin());
    const key = keysOf(2)('AES_CM_128_HMAC_SHA1_32').keySaltBase64;
    const answer = offerWith(
      'm=audio 7000 RTP/SAVP 0',
      `a=crypto:1 AES_CM_128_HMAC_SHA1_32 inline:${key}`,
    );
    assert.throws(() => readAnswer(offer, answer), isSdpError('SDP_ANSWER_MISMATCH'));
  });
});
