import assert from 'node:assert/strict';

import {
  identityOf,
  identityVariables,
  networkFactsOf,
} from '../../../../src/signaling/trunk/caller-identity.ts';
import { aTrunk } from './a-trunk.ts';

const FROM = { user: '911000111', host: 'carrier.test', displayName: 'Ann' };
const DIALED = { user: '911222333', host: 'us.test', displayName: '' };
const SPAIN = aTrunk({ country: 'ES' });
const of = (headers: Readonly<Record<string, string>>, trunk = SPAIN, from = FROM) =>
  identityOf({ from, dialed: DIALED, headers }, trunk);

describe('who calls', () => {
  it('is From, in E.164 by the country of the trunk', () => {
    assert.deepEqual(of({}), {
      caller: '+34911000111',
      callerName: 'Ann',
      isPrivate: false,
      dialed: '+34911222333',
      divertedFrom: null,
      diversionReason: null,
      claimedAttestation: null,
    });
  });

  it('is the asserted identity, but only by the word of a trunk', () => {
    const headers = { 'p-asserted-identity': '"Ann, B" <sip:+34955666777@x>, <tel:+34955666777>' };
    assert.equal(of(headers).caller, '+34955666777');
    assert.equal(of(headers).callerName, 'Ann, B');
    const untrusted = identityOf({ from: FROM, dialed: DIALED, headers }, null);
    assert.equal(untrusted.caller, '911000111');
    assert.equal(
      of({ 'remote-party-id': '<sip:955666777@x>;party=calling' }).caller,
      '+34955666777',
    );
  });

  it('may be private', () => {
    assert.equal(of({ privacy: 'id; critical' }).isPrivate, true);
    assert.equal(of({ privacy: 'none' }).isPrivate, false);
    assert.equal(of({ 'remote-party-id': '<sip:9@x>;privacy=full' }).isPrivate, true);
    assert.equal(of({}, SPAIN, { ...FROM, user: 'anonymous' }).isPrivate, true);
  });

  it('was diverted from the number first dialed, by Diversion', () => {
    const diversion =
      '<sip:911222000@x>;reason=user-busy, <sip:911222999@x>;reason="no-answer";counter=1';
    const identity = of({ diversion });
    assert.equal(identity.divertedFrom, '+34911222999');
    assert.equal(identity.diversionReason, 'no-answer');
  });

  it('was diverted from the number first dialed, by History-Info', () => {
    const history =
      '<sip:911222999@x>;index=1, <sip:911222000@x;cause=486>;index=1.1, <sip:911222333@x;cause=302>;index=1.2';
    assert.equal(of({ 'history-info': history }).divertedFrom, '+34911222999');
    assert.equal(of({ 'history-info': history }).diversionReason, 'user-busy');
    assert.equal(of({ 'history-info': '<sip:911222333@x>;index=1' }).divertedFrom, null);
  });

  it('is kept with the headers as they came, but for a hidden number', () => {
    const headers = {
      'p-asserted-identity': '<sip:955666777@x>',
      identity: 'e30.eyJhdHRlc3QiOiJBIn0.c2ln',
      reason: 'Q.850;cause=19',
      'user-agent': 'Switch',
    };
    const open = networkFactsOf(of(headers), { headers });
    assert.deepEqual(open.headers, headers);
    assert.deepEqual([open.claimedAttestation, open.reason], ['A', 'Q.850;cause=19']);
    const hidden = { ...headers, privacy: 'id' };
    const facts = networkFactsOf(of(hidden), { headers: hidden });
    assert.equal(facts.isPrivate, true);
    assert.equal(facts.callerName, null);
    assert.deepEqual(Object.keys(facts.headers), ['reason', 'user-agent', 'privacy']);
    assert.equal(JSON.stringify(facts).includes('955666777'), false);
  });

  it('has the attestation that its identity claims', () => {
    const part = (value: object) => Buffer.from(JSON.stringify(value)).toString('base64url');
    const identity = `${part({ alg: 'ES256' })}.${part({ attest: 'A', orig: {} })}.sig;info=<https://x>`;
    assert.equal(of({ identity }).claimedAttestation, 'A');
    assert.equal(of({ identity: 'nonsense' }).claimedAttestation, null);
    assert.equal(of({ identity: `x.${part({ attest: 'Z' })}.y` }).claimedAttestation, null);
  });

  it('becomes variables, without what was to be shown to nobody', () => {
    const headers = { reason: 'Q.850;cause=16', diversion: '<sip:911222999@x>' };
    assert.deepEqual(identityVariables(of(headers), { headers, trunk: 'carrier' }), {
      caller_number: '+34911000111',
      caller_name: 'Ann',
      dialed_number: '+34911222333',
      diverted_from: '+34911222999',
      call_reason: 'Q.850;cause=16',
      trunk: 'carrier',
    });
    const hidden = identityVariables(of({ privacy: 'id' }), { headers: {}, trunk: null });
    assert.deepEqual(Object.keys(hidden), ['dialed_number']);
  });
});
