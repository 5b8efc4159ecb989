import assert from 'node:assert/strict';

import { SdpError } from '../../../../src/signaling/sdp/sdp-error.ts';
import {
  parseSessionDescription,
  SDP_BYTES_MAX,
  SDP_FORMATS_MAX,
  SDP_LINE_CHARACTERS_MAX,
  SDP_LINES_MAX,
  SDP_MEDIA_MAX,
  serializeSessionDescription,
} from '../../../../src/signaling/sdp/session-description.ts';
import { OFFERS, offerWith } from './offers.ts';

const isSdpError = (code: string) => (error: unknown) =>
  error instanceof SdpError && error.code === code;

describe('a session description', () => {
  for (const [device, text] of Object.entries(OFFERS)) {
    it(`of ${device} is read, and is the same after being written and read again`, () => {
      const once = parseSessionDescription(text);
      assert.ok(once.media.length > 0);
      assert.deepEqual(parseSessionDescription(serializeSessionDescription(once)), once);
    });
  }

  it('keeps sections, formats and attributes in their order', () => {
    const { media, attributes, connection, origin } = parseSessionDescription(OFFERS.linphone);
    assert.deepEqual(
      media.map(({ kind, port, protocol }) => [kind, port, protocol]),
      [
        ['audio', 7078, 'RTP/AVPF'],
        ['video', 9078, 'RTP/AVPF'],
      ],
    );
    assert.deepEqual(media[0]?.formats, ['96', '97', '98', '0', '8', '18', '101', '99', '100']);
    assert.equal(attributes[0]?.name, 'rtcp-xr');
    assert.deepEqual(attributes[1], { name: 'record', value: 'off' });
    assert.equal(connection, '192.0.2.13');
    assert.equal(origin.sessionVersion, '1432');
  });

  it('is read with bare line feeds and with blank lines at its end', () => {
    const text = `${OFFERS.asterisk.replaceAll('\r\n', '\n')}\n\r\n`;
    assert.deepEqual(parseSessionDescription(text), parseSessionDescription(OFFERS.asterisk));
  });

  it('may give a number of ports and a multicast scope', () => {
    const text = offerWith('m=audio 4000/2 RTP/AVP 0', 'c=IN IP4 233.252.0.1/127/3');
    const [media] = parseSessionDescription(text).media;
    assert.equal(media?.portCount, 2);
    assert.equal(media?.connection, '233.252.0.1');
  });

  const malformed: Record<string, string> = {
    'nothing at all': '',
    'another version': OFFERS.bare.replace('v=0', 'v=1'),
    'no origin': OFFERS.bare.replace(/o=.*\r\n/, ''),
    'two origins': OFFERS.bare.replace('s=', 'o=- 1 1 IN IP4 192.0.2.1\r\ns='),
    'an origin of words': OFFERS.bare.replace('o=- 1 1', 'o=- one two'),
    'a line without a type': offerWith('m=audio 6000 RTP/AVP 0', 'hello'),
    'a blank line in the middle': OFFERS.bare.replace('s=', '\r\ns='),
    'an unknown type': offerWith('m=audio 6000 RTP/AVP 0', 'y=1'),
    'a port past 65535': offerWith('m=audio 65536 RTP/AVP 0'),
    'a negative port': offerWith('m=audio -1 RTP/AVP 0'),
    'a section without formats': offerWith('m=audio 6000 RTP/AVP'),
    'another network type': offerWith('m=audio 6000 RTP/AVP 0', 'c=ATM IP4 192.0.2.1'),
    'an address that is none': offerWith('m=audio 6000 RTP/AVP 0', 'c=IN IP4 $(reboot)'),
    'an attribute without a name': offerWith('m=audio 6000 RTP/AVP 0', 'a=:1'),
    'a NUL byte': offerWith('m=audio 6000 RTP/AVP 0', 'a=tool:\0'),
    'a carriage return inside a line': offerWith('m=audio 6000 RTP/AVP 0', 'a=x:1\ra=y:2'),
  };
  for (const [what, text] of Object.entries(malformed)) {
    it(`with ${what} is refused as malformed`, () => {
      assert.throws(() => parseSessionDescription(text), isSdpError('SDP_MALFORMED'));
    });
  }

  const tooLarge: Record<string, string> = {
    'more bytes than the limit': OFFERS.bare + 'a=x:y\r\n'.repeat(SDP_BYTES_MAX / 7),
    'more lines than the limit': OFFERS.bare + 'a=x\r\n'.repeat(SDP_LINES_MAX),
    'a line longer than the limit': OFFERS.bare + `a=x:${'y'.repeat(SDP_LINE_CHARACTERS_MAX)}`,
    'more sections than the limit': OFFERS.bare + 'm=audio 0 RTP/AVP 0\r\n'.repeat(SDP_MEDIA_MAX),
    'more formats than the limit': offerWith(
      `m=audio 6000 RTP/AVP ${Array.from({ length: SDP_FORMATS_MAX + 1 }, (_, i) => i).join(' ')}`,
    ),
  };
  for (const [what, text] of Object.entries(tooLarge)) {
    it(`with ${what} is refused as too large`, () => {
      assert.throws(() => parseSessionDescription(text), isSdpError('SDP_TOO_LARGE'));
    });
  }

  it('names the line it could not read, and none of its text', () => {
    const text = offerWith('m=audio 6000 RTP/AVP 0', 'c=IN IP4 not_an_address');
    assert.throws(
      () => parseSessionDescription(text),
      (error: unknown) =>
        error instanceof SdpError &&
        error.facts['line'] === 7 &&
        !error.message.includes('not_an_address'),
    );
  });
});
