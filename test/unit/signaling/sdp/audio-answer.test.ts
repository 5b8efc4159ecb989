import assert from 'node:assert/strict';

import type { CodecName, SrtpKeys } from '../../../../src/model/media.ts';
import type { AudioCapabilities } from '../../../../src/signaling/sdp/audio-answer.ts';
import { answerOffer, writeAnswer } from '../../../../src/signaling/sdp/audio-answer.ts';
import { SdpError } from '../../../../src/signaling/sdp/sdp-error.ts';
import { SdpOrigin } from '../../../../src/signaling/sdp/sdp-origin.ts';
import { parseSessionDescription } from '../../../../src/signaling/sdp/session-description.ts';
import { OFFERS, offerWith } from './offers.ts';

const can = (...codecs: CodecName[]): AudioCapabilities => ({ codecs, createSrtpKeys: null });
const PHONE = can('opus', 'pcma', 'pcmu');
const LOCAL = { address: '198.51.100.5', port: 40_002 };

const answer = (offer: string, capabilities = PHONE) =>
  writeAnswer(answerOffer(offer, capabilities), LOCAL, new SdpOrigin(4711));
const parametersOf = (offer: string, capabilities = PHONE) =>
  answerOffer(offer, capabilities).parameters;
const isSdpError = (code: string) => (error: unknown) =>
  error instanceof SdpError && error.code === code;

const OWN_KEYS: SrtpKeys = {
  suite: 'AES_CM_128_HMAC_SHA1_80',
  keySaltBase64: 'HRwbGhkYFxYVFBMSERAPDg0MCwoJCAcGBQQDAgEA',
};
const SECURE: AudioCapabilities = { ...PHONE, createSrtpKeys: (suite) => ({ ...OWN_KEYS, suite }) };

describe('answering an offer', () => {
  it('is one codec, keypad events and our address, to the byte', () => {
    assert.equal(
      answer(OFFERS.asterisk),
      [
        'v=0',
        'o=- 4711 1 IN IP4 198.51.100.5',
        's=-',
        'c=IN IP4 198.51.100.5',
        't=0 0',
        'm=audio 40002 RTP/AVP 8 101',
        'a=rtpmap:8 PCMA/8000',
        'a=rtpmap:101 telephone-event/8000',
        'a=fmtp:101 0-15',
        'a=ptime:20',
        'a=sendrecv',
        '',
      ].join('\r\n'),
    );
  });

  it('gives media everything it needs', () => {
    assert.deepEqual(parametersOf(OFFERS.browserLike), {
      codec: 'opus',
      payloadType: 109,
      ptimeMs: 20,
      telephoneEventPayloadType: 101,
      telephoneEventClockRateHz: 48_000,
      comfortNoisePayloadType: null,
      opusUseDtx: true,
      opusUseFec: true,
      remoteAddress: '192.0.2.17',
      remotePort: 53_200,
      rtcpMux: true,
      remoteRtcpPort: 53_200,
      direction: 'sendrecv',
      srtp: null,
    });
  });

  const chosen: [keyof typeof OFFERS, AudioCapabilities, CodecName, number, number | null][] = [
    ['asterisk', PHONE, 'pcma', 8, 101],
    ['freeswitch', PHONE, 'opus', 102, 103],
    ['freeswitch', can('pcma', 'pcmu'), 'pcmu', 0, 101],
    ['freeswitch', can('g722', 'pcmu'), 'g722', 9, 101],
    ['cisco', PHONE, 'pcmu', 0, 101],
    ['linphone', PHONE, 'opus', 96, 101],
    ['linphone', can('pcma'), 'pcma', 8, 100],
    ['baresip', PHONE, 'opus', 96, 101],
    ['zoiper', PHONE, 'pcma', 8, 101],
    ['yealinkIpv6', PHONE, 'pcmu', 0, 101],
    ['yealinkIpv6', can('g722'), 'g722', 9, 101],
    ['browserLike', can('pcmu', 'pcma'), 'pcmu', 0, 126],
    ['bestEffortSrtp', PHONE, 'pcma', 8, 101],
    ['bare', PHONE, 'pcmu', 0, null],
  ];
  for (const [device, capabilities, codec, payloadType, event] of chosen) {
    it(`of ${device} with ${capabilities.codecs.join(', ')} takes ${codec}`, () => {
      const parameters = parametersOf(OFFERS[device], capabilities);
      assert.equal(parameters.codec, codec);
      assert.equal(parameters.payloadType, payloadType);
      assert.equal(parameters.telephoneEventPayloadType, event);
    });
  }

  it('uses 8000 Hz keypad events beside Opus when no others are offered', () => {
    assert.equal(parametersOf(OFFERS.baresip).telephoneEventClockRateHz, 8_000);
  });

  it('tolerates comfort noise and does not ask for it', () => {
    const offer = OFFERS.freeswitch;
    assert.equal(parametersOf(offer, can('pcmu')).comfortNoisePayloadType, 13);
    assert.equal(parametersOf(offer, can('opus')).comfortNoisePayloadType, null);
    assert.equal(parametersOf(OFFERS.cisco).comfortNoisePayloadType, 19);
    assert.doesNotMatch(answer(offer, can('pcmu')), /CN\/8000/);
  });

  it('carries what the remote side asks of our Opus encoder', () => {
    assert.equal(parametersOf(OFFERS.freeswitch).opusMaxBitrateBps, 30_000);
    const { opusUseFec, opusUseDtx, opusMaxBitrateBps } = parametersOf(OFFERS.baresip);
    assert.deepEqual([opusUseFec, opusUseDtx, opusMaxBitrateBps], [false, false, undefined]);
    assert.match(answer(OFFERS.baresip), /a=rtpmap:96 opus\/48000\/2\r\na=fmtp:96 useinbandfec=1/);
  });

  it('prefers the address of the section to that of the session', () => {
    assert.equal(parametersOf(OFFERS.cisco).remoteAddress, '192.0.2.112');
    assert.equal(parametersOf(OFFERS.yealinkIpv6).remoteAddress, '2001:db8::20');
  });

  it('writes an IPv6 address of ours as IP6', () => {
    const local = { address: '2001:db8::1', port: 40_000 };
    const text = writeAnswer(answerOffer(OFFERS.yealinkIpv6, PHONE), local, new SdpOrigin(1));
    assert.match(text, /o=- 1 1 IN IP6 2001:db8::1\r\n/);
    assert.match(text, /c=IN IP6 2001:db8::1\r\n/);
  });

  it('finds the RTCP port beside, as said by a=rtcp, or on the RTP port', () => {
    assert.equal(parametersOf(OFFERS.asterisk).remoteRtcpPort, 14_231);
    assert.equal(
      parametersOf(offerWith('m=audio 9000 RTP/AVP 0', 'a=rtcp:9123')).remoteRtcpPort,
      9123,
    );
    assert.equal(parametersOf(OFFERS.browserLike).remoteRtcpPort, 53_200);
    assert.match(answer(OFFERS.browserLike), /a=rtcp-mux\r\n/);
    assert.doesNotMatch(answer(OFFERS.asterisk), /rtcp/);
  });

  describe('with several sections', () => {
    it('takes the first usable audio and refuses the others with port 0', () => {
      const offer = offerWith(
        'm=image 5000 udptl t38',
        'm=audio 0 RTP/AVP 0',
        'm=audio 6000 UDP/TLS/RTP/SAVPF 0',
        'm=audio 6002 RTP/AVP 18',
        'm=audio 6004 RTP/AVP 0 8',
        'm=audio 6006 RTP/AVP 8',
        'm=video 6008 RTP/AVP 99',
      );
      assert.equal(parametersOf(offer).remotePort, 6004);
      const sections = parseSessionDescription(answer(offer)).media;
      assert.deepEqual(
        sections.map(({ kind, port, protocol, formats }) => [kind, port, protocol, formats]),
        [
          ['image', 0, 'udptl', ['t38']],
          ['audio', 0, 'RTP/AVP', ['0']],
          ['audio', 0, 'UDP/TLS/RTP/SAVPF', ['0']],
          ['audio', 0, 'RTP/AVP', ['18']],
          ['audio', 40_002, 'RTP/AVP', ['0']],
          ['audio', 0, 'RTP/AVP', ['8']],
          ['video', 0, 'RTP/AVP', ['99']],
        ],
      );
    });

    it('keeps RTP/AVPF as offered', () => {
      const sections = parseSessionDescription(answer(OFFERS.linphone)).media;
      assert.deepEqual(
        sections.map(({ protocol, port }) => [protocol, port]),
        [
          ['RTP/AVPF', 40_002],
          ['RTP/AVPF', 0],
        ],
      );
    });

    it('stays far below 4 KB even when refusing the largest of offers', () => {
      const word = 'x'.repeat(32);
      const refused = Array.from({ length: 15 }, () => `m=${word} 1 ${word} ${word}`);
      const text = answer(offerWith('m=audio 6000 RTP/AVP 0', ...refused));
      assert.ok(Buffer.byteLength(text) < 2_500, `${Buffer.byteLength(text)} bytes`);
    });
  });

  describe('directions', () => {
    const directions = [
      ['sendrecv', 'sendrecv'],
      ['sendonly', 'recvonly'],
      ['recvonly', 'sendonly'],
      ['inactive', 'inactive'],
    ] as const;
    for (const [offered, ours] of directions) {
      it(`answers ${offered} with ${ours}`, () => {
        const offer = offerWith('m=audio 6000 RTP/AVP 0', `a=${offered}`);
        assert.equal(parametersOf(offer).direction, ours);
        assert.match(answer(offer), new RegExp(`a=${ours}\r\n`));
      });
    }

    it('may stand at session level, and the section has the last word', () => {
      const offer = OFFERS.bare.replace('t=0 0\r\n', 't=0 0\r\na=sendonly\r\n');
      assert.equal(parametersOf(offer).direction, 'recvonly');
      assert.equal(parametersOf(`${offer}a=sendrecv\r\n`).direction, 'sendrecv');
    });

    it('take a null address for hold: nothing may be sent there', () => {
      for (const address of ['IP4 0.0.0.0', 'IP6 ::']) {
        const held = offerWith('m=audio 6000 RTP/AVP 0', `c=IN ${address}`);
        assert.equal(parametersOf(held).direction, 'recvonly');
        assert.equal(parametersOf(`${held}a=recvonly\r\n`).direction, 'inactive');
      }
    });

    it('follow a hold of our own', () => {
      const holding = { ...PHONE, direction: 'sendonly' } as const;
      assert.equal(parametersOf(OFFERS.bare, holding).direction, 'sendonly');
      const held = offerWith('m=audio 6000 RTP/AVP 0', 'a=sendonly');
      assert.equal(parametersOf(held, holding).direction, 'inactive');
    });
  });

  describe('with SRTP', () => {
    it('refuses RTP/SAVP when we have no keys to give', () => {
      const offer = OFFERS.bestEffortSrtp.replace(/m=audio 30002[\s\S]*/, '');
      assert.throws(() => answerOffer(offer, PHONE), isSdpError('SDP_NO_COMMON_CODEC'));
    });

    it('takes the first crypto line it can do and answers with the same tag', () => {
      const { parameters } = answerOffer(OFFERS.bestEffortSrtp, SECURE);
      assert.equal(parameters.remotePort, 30_000);
      assert.deepEqual(parameters.srtp, {
        local: OWN_KEYS,
        remote: {
          suite: 'AES_CM_128_HMAC_SHA1_80',
          keySaltBase64: 'AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwd',
        },
      });
      const lines = answer(OFFERS.bestEffortSrtp, SECURE).split('\r\n');
      assert.deepEqual(
        lines.filter((line) => /^(m=|a=crypto)/.test(line)),
        [
          'm=audio 40002 RTP/SAVP 0 101',
          `a=crypto:2 AES_CM_128_HMAC_SHA1_80 inline:${OWN_KEYS.keySaltBase64}`,
          'm=audio 0 RTP/AVP 8',
        ],
      );
    });

    const CRYPTO = `a=crypto:7 AES_CM_128_HMAC_SHA1_80 inline:${OWN_KEYS.keySaltBase64}`;

    it('takes a=crypto of a plain section, which leaves the choice to us', () => {
      const offer = offerWith('m=audio 6000 RTP/AVP 0', CRYPTO);
      assert.deepEqual(parametersOf(offer, SECURE).srtp, { local: OWN_KEYS, remote: OWN_KEYS });
      assert.match(answer(offer, SECURE), /^m=audio 40002 RTP\/AVP 0\r$/m);
      assert.match(answer(offer, SECURE), /^a=crypto:7 AES_CM_128_HMAC_SHA1_80 inline:/m);
    });

    it('does not look at a=crypto when we have no keys to give', () => {
      const offer = offerWith('m=audio 6000 RTP/AVP 0', CRYPTO);
      assert.equal(parametersOf(offer, PHONE).srtp, null);
      assert.doesNotMatch(answer(offer, PHONE), /crypto/);
    });

    it('takes an encrypted section before a plain one that stands first', () => {
      const offer = offerWith('m=audio 6000 RTP/AVP 0', 'm=audio 6002 RTP/SAVP 0', CRYPTO);
      assert.equal(parametersOf(offer, SECURE).remotePort, 6002);
      assert.equal(parametersOf(offer, PHONE).remotePort, 6000);
    });

    it('takes plain audio where nothing better is, unless encryption is required', () => {
      const required = { ...SECURE, isSrtpRequired: true };
      const plain = offerWith('m=audio 6000 RTP/AVP 0');
      assert.equal(parametersOf(plain, SECURE).srtp, null);
      assert.throws(() => answerOffer(plain, required), isSdpError('SDP_SRTP_REQUIRED'));
      const encrypted = offerWith('m=audio 6000 RTP/AVP 0', CRYPTO);
      assert.notEqual(parametersOf(encrypted, required).srtp, null);
      const foreign = offerWith('m=audio 6000 RTP/SAVP 18', CRYPTO);
      assert.throws(() => answerOffer(foreign, required), isSdpError('SDP_NO_COMMON_CODEC'));
    });

    for (const [what, parameters, mkiHex] of [
      ['with a lifetime', '|2^20|1:4', '00000001'],
      ['alone', '|66051:3', '010203'],
    ] as const) {
      it(`takes a crypto line with an MKI ${what}, and answers without`, () => {
        const key = OWN_KEYS.keySaltBase64;
        const line = `a=crypto:1 AES_CM_128_HMAC_SHA1_80 inline:${key}${parameters}`;
        const answering = answerOffer(offerWith('m=audio 6000 RTP/SAVP 0', line), SECURE);
        assert.deepEqual(answering.parameters.srtp?.remote, { ...OWN_KEYS, mkiHex });
        assert.equal(answering.parameters.srtp?.local.mkiHex, undefined);
      });
    }

    it('leaves crypto lines with several keys, a broken MKI, parameters or short keys', () => {
      const key = OWN_KEYS.keySaltBase64;
      const lines = [
        `inline:${key};inline:${key}`,
        `inline:${key}|2^20|256:1`,
        `inline:${key}|1:0`,
        `inline:${key}|1:129`,
        `inline:${key} UNENCRYPTED_SRTP`,
        'inline:AAECAwQFBgcICQoLDA0ODw==',
      ].map((parameters, index) => `a=crypto:${index + 1} AES_CM_128_HMAC_SHA1_80 ${parameters}`);
      const offer = offerWith('m=audio 6000 RTP/SAVP 0', ...lines);
      assert.throws(() => answerOffer(offer, SECURE), isSdpError('SDP_NO_COMMON_CODEC'));
    });
  });

  describe('is refused', () => {
    const refused: Record<string, string> = {
      'without audio': offerWith('m=video 6000 RTP/AVP 99'),
      'without any section': OFFERS.bare.replace(/m=.*\r\n/, ''),
      'with port 0 alone': offerWith('m=audio 0 RTP/AVP 0'),
      'with codecs we do not have': offerWith(
        'm=audio 6000 RTP/AVP 18 3 97',
        'a=rtpmap:97 iLBC/8000',
      ),
      'with a dynamic number that has no rtpmap': offerWith('m=audio 6000 RTP/AVP 96'),
      'with Opus at a wrong clock': offerWith('m=audio 6000 RTP/AVP 96', 'a=rtpmap:96 opus/16000'),
      'with DTLS-SRTP': offerWith('m=audio 6000 UDP/TLS/RTP/SAVPF 0'),
    };
    for (const [what, offer] of Object.entries(refused)) {
      it(`${what}, as no common codec`, () => {
        assert.throws(() => answerOffer(offer, PHONE), isSdpError('SDP_NO_COMMON_CODEC'));
      });
    }

    it('without a c= line, as malformed', () => {
      const offer = OFFERS.bare.replace(/c=.*\r\n/, '');
      assert.throws(() => answerOffer(offer, PHONE), isSdpError('SDP_MALFORMED'));
    });
  });

  describe('again', () => {
    it('is the same to the byte when nothing changed, and a new version when it did', () => {
      const origin = new SdpOrigin(9);
      const write = (offer: string) => writeAnswer(answerOffer(offer, PHONE), LOCAL, origin);
      const first = write(OFFERS.bare);
      assert.equal(write(OFFERS.bare), first);
      const held = write(`${OFFERS.bare}a=sendonly\r\n`);
      assert.match(held, /o=- 9 2 IN/);
      assert.match(write(OFFERS.bare), /o=- 9 3 IN/);
    });
  });
});
