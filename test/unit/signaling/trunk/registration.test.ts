import assert from 'node:assert/strict';
import * as fc from 'fast-check';

import type { RegisterAnswer } from '../../../../src/signaling/trunk/register-answer.ts';
import {
  ADDRESS_CHANGE_MIN_MS,
  type RegisterRequest,
  Registration,
  type RegistrationStep,
  RETRY_FIRST_MS,
  RETRY_MAX_MS,
  STEPS_MAX,
} from '../../../../src/signaling/trunk/registration.ts';
import type { SipTarget } from '../../../../src/signaling/trunk/sip-targets.ts';
import type { Trunk } from '../../../../src/signaling/trunk/trunk.ts';
import { aTrunk } from './a-trunk.ts';

const START_MS = 1_000_000;
const target = (last: number): SipTarget => ({
  transport: 'udp',
  host: `sbc${last}.test`,
  address: `192.0.2.${last}`,
  port: 5060,
});
const answer = (status: number, more: Partial<RegisterAnswer> = {}): RegisterAnswer => ({
  status,
  reason: 'Whatever',
  expiresSeconds: null,
  minExpiresSeconds: null,
  retryAfterSeconds: null,
  challenge: null,
  sentBy: '10.0.0.5:5060',
  observed: null,
  ...more,
});
const OK = (expiresSeconds = 3600) => answer(200, { expiresSeconds });
const CHALLENGE = answer(401, { challenge: 'Digest realm="r", nonce="1", qop="auth"' });

describe('a registration', () => {
  let nowMs: number;
  let registration: Registration;
  beforeEach(() => {
    nowMs = START_MS;
    registration = of();
  });

  const of = (settings: Partial<Trunk> = {}, random = () => 0.5) =>
    new Registration({ trunk: aTrunk(settings), callId: 'one@test', fromTag: 'tag', random });
  const sent = (step: RegistrationStep | null): RegisterRequest => {
    assert.equal(step?.type, 'send');
    return (step as { request: RegisterRequest }).request;
  };
  const begin = (...targets: readonly SipTarget[]) => {
    assert.deepEqual(registration.start(), { type: 'resolve' });
    return registration.resolved(targets, nowMs);
  };
  const answered = (reply: RegisterAnswer | null) => registration.answered(reply, nowMs);
  const status = () => registration.status(nowMs);
  /** Lets the next timer fire. */
  const later = () => {
    nowMs = registration.nextAtMs ?? assert.fail('nothing is planned');
    return registration.tick(nowMs);
  };

  it('is made with the first registrar, and refreshed there before it ends', () => {
    const first = sent(begin(target(1), target(2)));
    assert.deepEqual(first.target, target(1));
    assert.equal(first.requestUri, 'sip:carrier.test');
    assert.equal(first.expiresSeconds, 3600);
    assert.equal(status().state, 'registering');
    assert.equal(answered(OK(600)), null);
    assert.deepEqual(
      { ...status() },
      {
        state: 'registered',
        isRegistered: true,
        registrar: 'udp/192.0.2.1:5060',
        expiresAtMs: START_MS + 600_000,
        lastAnswer: { status: 200, reason: 'Whatever', atMs: START_MS },
        nextAttemptAtMs: START_MS + 480_000,
        failures: 0,
        observedAddress: null,
      },
    );
    assert.equal(registration.tick(nowMs + 1), null);
    const second = sent(later());
    assert.deepEqual(second.target, target(1));
    assert.equal(second.callId, first.callId);
    assert.equal(second.cseq, first.cseq + 1);
    assert.equal(status().isRegistered, true);
  });

  it('answers a challenge, and carries credentials from then on', () => {
    assert.deepEqual(sent(begin(target(1))).authorization, []);
    assert.match(sent(answered(CHALLENGE)).authorization[0]?.value ?? '', /nc=00000001/);
    answered(OK());
    assert.match(sent(later()).authorization[0]?.value ?? '', /nc=00000002/);
    const stale = answer(401, { challenge: 'Digest realm="r", nonce="2", stale=true' });
    assert.match(sent(answered(stale)).authorization[0]?.value ?? '', /nonce="2"/);
  });

  it('waits long when the password is wrong or there is none', () => {
    begin(target(1), target(2));
    sent(answered(CHALLENGE));
    assert.equal(answered(answer(401, { challenge: 'Digest realm="r", nonce="2"' })), null);
    assert.equal(status().state, 'waiting');
    assert.equal(status().nextAttemptAtMs, START_MS + 0.75 * 6 * RETRY_FIRST_MS);
    registration = of({ credentials: null });
    begin(target(1));
    assert.equal(answered(CHALLENGE), null);
    assert.equal(status().state, 'waiting');
  });

  it('asks for longer when told 423, but not for ever longer', () => {
    begin(target(1));
    const brief = (minExpiresSeconds: number) => answer(423, { minExpiresSeconds });
    assert.equal(sent(answered(brief(7200))).expiresSeconds, 7200);
    assert.equal(answered(brief(7200)), null);
    assert.equal(status().state, 'waiting');
    registration = of();
    begin(target(1));
    for (let step = 1; step <= STEPS_MAX; step += 1) sent(answered(brief(7200 + step)));
    assert.equal(answered(brief(9000)), null);
    assert.equal(status().state, 'waiting');
  });

  it('goes to the next registrar on 5xx, 408 and silence, and waits when none is left', () => {
    begin(target(1), target(2), target(3), target(4));
    assert.deepEqual(sent(answered(answer(503))).target, target(2));
    assert.deepEqual(sent(answered(answer(408))).target, target(3));
    assert.deepEqual(sent(answered(null)).target, target(4));
    assert.equal(status().lastAnswer?.status, 0);
    assert.equal(answered(answer(500)), null);
    assert.deepEqual(
      [status().state, status().failures, status().isRegistered],
      ['waiting', 1, false],
    );
    assert.deepEqual(later(), { type: 'resolve' });
  });

  it('does not go to the next registrar on a refusal', () => {
    for (const code of [403, 404, 400, 603]) {
      registration = of();
      begin(target(1), target(2));
      assert.equal(answered(answer(code)), null);
      assert.equal(status().state, 'waiting', String(code));
    }
  });

  it('waits longer and longer, with chance, and no longer than a limit', () => {
    const waits: number[] = [];
    begin();
    for (let round = 0; round < 12; round += 1) {
      waits.push((registration.nextAtMs ?? 0) - nowMs);
      assert.deepEqual(later(), { type: 'resolve' });
      assert.equal(registration.resolved([], nowMs), null);
    }
    assert.deepEqual(
      waits.slice(0, 4),
      [1, 2, 4, 8].map((times) => times * 0.75 * RETRY_FIRST_MS),
    );
    assert.equal(waits.at(-1), 0.75 * RETRY_MAX_MS);
    for (const random of [0, 0.999]) {
      registration = of({}, () => random);
      begin();
      const waitMs = (registration.nextAtMs ?? 0) - nowMs;
      assert.ok(waitMs >= RETRY_FIRST_MS / 2 && waitMs <= RETRY_FIRST_MS);
    }
  });

  it('honors Retry-After, up to an hour', () => {
    begin(target(1));
    answered(answer(503, { retryAfterSeconds: 120 }));
    assert.equal(registration.nextAtMs, START_MS + 120_000);
    registration = of();
    begin(target(1));
    answered(answer(403, { retryAfterSeconds: 1_000_000 }));
    assert.equal(registration.nextAtMs, START_MS + 3_600_000);
  });

  it('looks for other registrars when its own does not answer a refresh', () => {
    begin(target(1), target(2));
    answered(OK());
    later();
    assert.deepEqual(answered(null), { type: 'resolve' });
    const next = sent(registration.resolved([target(7)], nowMs));
    assert.deepEqual(next.target, target(7));
    answered(OK());
    assert.equal(status().registrar, 'udp/192.0.2.7:5060');
  });

  it('starts anew with nonces at another registrar', () => {
    begin(target(1), target(2));
    sent(answered(CHALLENGE));
    assert.deepEqual(sent(answered(answer(503))).authorization, []);
  });

  it('is made again with the address that the registrar saw', () => {
    begin(target(1));
    const again = sent(answered({ ...OK(), observed: '203.0.113.9:1024' }));
    assert.equal(again.contactHost, '203.0.113.9:1024');
    assert.equal(again.formerContactHost, '10.0.0.5:5060');
    assert.equal(answered({ ...OK(), observed: '203.0.113.9:1024' }), null);
    assert.equal(status().observedAddress, '203.0.113.9:1024');
    const refresh = sent(later());
    assert.equal(refresh.contactHost, '203.0.113.9:1024');
    assert.equal(refresh.formerContactHost, null);
  });

  it('follows its address when another answer shows that it moved, but not at every word', () => {
    begin(target(1));
    answered({ ...OK(), observed: '10.0.0.5:5060' });
    const seen = (observed: string) =>
      registration.saw({ sentBy: '10.0.0.5:5060', observed }, nowMs);
    assert.equal(seen('10.0.0.5:5060'), null);
    const moved = sent(seen('203.0.113.9:7'));
    assert.equal(moved.contactHost, '203.0.113.9:7');
    assert.equal(answered({ ...OK(), observed: '203.0.113.9:8' }), null);
    assert.equal(status().state, 'registered');
    nowMs += ADDRESS_CHANGE_MIN_MS;
    assert.equal(sent(seen('203.0.113.9:9')).contactHost, '203.0.113.9:9');
  });

  it('keeps the address the operator wrote, and registers again when it moved all the same', () => {
    registration = of({ externalAddress: '203.0.113.1' });
    begin(target(1));
    assert.equal(answered({ ...OK(), observed: '203.0.113.9:7' }), null);
    nowMs += ADDRESS_CHANGE_MIN_MS;
    const moved = sent(registration.saw({ sentBy: null, observed: '203.0.113.9:8' }, nowMs));
    assert.equal(moved.contactHost, null);
  });

  it('is taken away at the end, challenge included', () => {
    begin(target(1));
    answered(OK());
    const last = registration.stop();
    assert.equal(sent(last).expiresSeconds, 0);
    assert.equal(sent(answered(CHALLENGE)).authorization.length, 1);
    assert.deepEqual(answered(answer(200)), { type: 'done' });
    assert.equal(status().state, 'idle');
    assert.equal(registration.nextAtMs, null);
    assert.equal(registration.start(), null);
  });

  it('that may yet come to stand is taken away too', () => {
    begin(target(1));
    assert.equal(sent(registration.stop()).expiresSeconds, 0);
  });

  it('that never stood is not taken away', () => {
    begin();
    assert.deepEqual(registration.stop(), { type: 'done' });
  });

  it('is over when its time is, even if nothing was heard', () => {
    begin(target(1));
    answered(OK(60));
    assert.equal(registration.status(START_MS + 59_999).isRegistered, true);
    assert.equal(registration.status(START_MS + 60_000).isRegistered, false);
  });

  it('never stands still and never runs on, whatever the registrars say', () => {
    const replies = fc.oneof(
      fc.constant(null),
      fc.constantFrom(
        ...[0, 1, 60, 3600].map(OK),
        ...[403, 408, 500, 503, 302].map((code) => answer(code)),
      ),
      fc
        .integer({ min: 1, max: 700_000 })
        .map((seconds) => answer(423, { minExpiresSeconds: seconds })),
      fc
        .tuple(fc.constantFrom(401, 407), fc.integer({ min: 0, max: 9 }), fc.boolean())
        .map(([code, nonce, isStale]) =>
          answer(code, { challenge: `Digest realm="r", nonce="${nonce}", stale=${isStale}` }),
        ),
      fc.integer({ min: 1, max: 3 }).map((port) => ({ ...OK(), observed: `203.0.113.9:${port}` })),
    );
    fc.assert(
      fc.property(
        fc.array(replies, { maxLength: 60 }),
        fc.integer({ min: 0, max: 4 }),
        (all, count) => {
          registration = of();
          nowMs = START_MS;
          const targets = Array.from({ length: count }, (_, index) => target(index));
          let step = registration.start();
          let cseq = -1;
          let sentInRound = 0;
          for (const reply of all) {
            while (step?.type === 'resolve') step = registration.resolved(targets, nowMs);
            if (step === null) {
              // Resting: a timer is set, and it lies ahead.
              assert.ok(['registered', 'waiting'].includes(status().state));
              assert.ok((registration.nextAtMs ?? 0) > nowMs);
              step = later();
              sentInRound = 0;
              continue;
            }
            assert.equal(status().state, 'registering');
            const request = sent(step);
            assert.ok(request.cseq > cseq, 'each request has a higher CSeq');
            cseq = request.cseq;
            sentInRound += 1;
            // Every registrar, the one before them, each with its steps; and an address change.
            assert.ok(sentInRound <= (count + 2) * (STEPS_MAX + 2) * 2, String(sentInRound));
            step = answered(reply);
          }
        },
      ),
      { numRuns: 1_000 },
    );
  });
});
