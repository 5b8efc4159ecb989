import assert from 'node:assert/strict';
import { parseReferTo, referToReplacing } from '../../../src/signaling/transfer/refer-to.ts';
import { parseReplaces, replacesOf } from '../../../src/signaling/transfer/replaces.ts';

describe('a Replaces header', () => {
  it('is read as RFC 3891 writes it', () => {
    assert.deepEqual(
      parseReplaces('98732@sip.example.com;from-tag=r33th4x0r;to-tag=ff87ff;early-only'),
      {
        callId: '98732@sip.example.com',
        toTag: 'ff87ff',
        fromTag: 'r33th4x0r',
        isEarlyOnly: true,
      },
    );
  });

  for (const text of ['', 'a@b', 'a@b;to-tag=1', 'a@b;from-tag=1', 'a b;to-tag=1;from-tag=2']) {
    it(`is none: "${text}"`, () => assert.equal(parseReplaces(text), null));
  }

  it('names our tag first as the far side sees it', () => {
    const dialog = { callId: 'a@b', localTag: 'ours', remoteTag: 'theirs', remoteTarget: '' };
    const replaces = parseReplaces(replacesOf(dialog));
    assert.deepEqual([replaces?.toTag, replaces?.fromTag], ['theirs', 'ours']);
  });
});

describe('a Refer-To header', () => {
  for (const [text, expected] of [
    ['<sip:+34911@carrier.test>', { user: '+34911', host: 'carrier.test', replaces: null }],
    ['sip:bob@b.test', { user: 'bob', host: 'b.test', replaces: null }],
    ['"B" <tel:+34-911>', { user: '+34911', host: '', replaces: null }],
    ['<sip:bob@b.test;method=INVITE>', { user: 'bob', host: 'b.test', replaces: null }],
    [
      '<sip:bob@b.test?Replaces=1%40c%3Bto-tag%3D2%3Bfrom-tag%3D3>',
      { user: 'bob', host: 'b.test', replaces: '1@c;to-tag=2;from-tag=3' },
    ],
    ['<sip:bob@b.test;method=BYE>', null],
    ['<sip:b.test>', null],
    ['<https://b.test/x>', null],
    ['<sip:bob@b.test?Replaces=%ZZ>', null],
  ] as const) {
    it(`${text} asks to call ${expected?.user ?? 'nobody'}`, () => {
      assert.deepEqual(parseReferTo(text), expected);
    });
  }

  it('that replaces a dialog is read back as it was meant', () => {
    const dialog = {
      callId: 'x+y%z@h',
      localTag: 'a=b',
      remoteTag: 't',
      remoteTarget: 'sip:bob@192.0.2.7:5070;transport=tcp',
    };
    const read = parseReferTo(referToReplacing(dialog));
    assert.deepEqual([read?.user, read?.host], ['bob', '192.0.2.7']);
    assert.equal(read?.replaces, replacesOf(dialog));
  });
});
