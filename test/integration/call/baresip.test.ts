import assert from 'node:assert/strict';
import { rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { readWav, writeWav } from '../../support/audio.ts';
import { Baresip, type BaresipOptions, hasBaresip } from '../../support/baresip.ts';
import { CallPhone, fromTelephoneRate, toTelephoneRate } from '../../support/call-phone.ts';
import { Gateway } from '../../support/gateway.ts';
import { callerSays, hasTestCaller, joined, lineSilence } from '../../support/test-caller.ts';
import { Transcriber } from '../../support/transcriber.ts';

const GREETING = 'Hello there, how can I help?';
const HEADS = 'Clink. It is heads!';
const TAILS = 'Clink. Tails this time!';
const GOODBYE = 'Thanks for calling Trunkline. Goodbye!';
/** Ends the call when it is over, so it is longer than any test. */
const SPEECH_MS = 40_000;

/** A telephone that none of us has written. */
describe('baresip', function () {
  this.timeout(90_000);
  let gateway: Gateway;
  let transcriber: Transcriber;
  const speechFile = join(tmpdir(), `trunkline-baresip-${process.pid}.wav`);

  before(async function () {
    if (!hasBaresip() || !hasTestCaller) {
      process.stderr.write('skipped: needs Debian packages baresip-core and flite\n');
      this.skip();
    }
    [gateway, transcriber] = await Promise.all([Gateway.start(), Transcriber.load()]);
    await gateway.changeAgent({ greeting_text: GREETING });
    // Once heard it is cached: a first greeting on a busy machine may last into the question.
    const phone = await CallPhone.open(gateway.sipPort);
    await phone.call();
    await phone.listenUntilQuiet();
    await phone.hangUp();
    phone.close();
    await gateway.nextEndedCall();
  });
  after(async () => {
    await gateway?.stop();
    transcriber?.close();
    await rm(speechFile, { force: true });
  });

  const PHONES = [
    ['PCMU/8000/1', 8000, 'pcmu', undefined],
    ['opus/48000/2', 48_000, 'opus', undefined],
    ['G722/16000/1', 16_000, 'g722', undefined],
    ['PCMU/8000/1', 8000, 'pcmu', 'srtp'],
    ['PCMA/8000/1', 8000, 'pcma', 'srtp-mand'],
  ] as const;
  for (const [codec, sampleRateHz, stored, encryption] of PHONES) {
    const how = encryption === undefined ? codec : `${codec} and ${encryption}`;
    it(`hears the greeting, asks and presses keys with ${how}`, async () => {
      const question = joined(lineSilence(5000), callerSays('flip a coin', 'slt'));
      const line = joined(question, lineSilence(SPEECH_MS - question.length / 8));
      writeWav(speechFile, { samples: fromTelephoneRate(line, sampleRateHz), sampleRateHz });
      const secure = encryption === undefined ? {} : { encryption };
      const { call, recording } = await talk({ speechFile, codec, sampleRateHz, ...secure });
      assert.deepEqual(
        call.transcript?.map(({ role, via, text }) => [role, via, text]),
        [
          ['agent', null, GREETING],
          ['user', 'speech', 'flip a coin'],
          ['agent', null, HEADS],
          ['user', 'digits', '7#'],
          ['agent', null, call.transcript?.at(-1)?.text],
        ],
      );
      assert.match(call.transcript?.at(-1)?.text ?? '', /7/);
      assert.equal(call.end_reason, 'caller-hung-up');
      assert.equal(call.media?.codec, stored);
      assert.equal(call.media?.encryption !== null, encryption !== undefined);
      // baresip says PING and BYE by RTCP in the clear; both are refused.
      const refused = call.media?.packets_unauthenticated ?? 0;
      assert.ok(refused <= (encryption === undefined ? 0 : 2), `${refused}`);
      assert.equal(gateway.endLines(call.call_id).length, 1);

      const candidates = [HEADS, TAILS, GOODBYE].flatMap((text) => [text, `${GREETING} ${text}`]);
      assert.equal(transcriber.whichOf(candidates, recording), `${GREETING} ${HEADS}`);
    });
  }

  /** The recording goes from the answer to the key that is pressed. */
  async function talk(options: BaresipOptions) {
    const baresip = await Baresip.start(options);
    try {
      baresip.dial(`sip:demo@127.0.0.1:${gateway.sipPort}`);
      await baresip.event('CALL_ESTABLISHED');
      const { call_id: id } = await gateway.nextCall();
      const answered = await gateway.callWhen(id, 'answered', (_, turns) => turns.length >= 3);
      for (const key of ['7', '#']) baresip.press(key);
      await gateway.callWhen(id, 'read back', (_, turns) => turns.length >= 5);
      baresip.hangUp();
      const call = await gateway.endOf(id);
      await baresip.stop();
      const file = (await baresip.recording()) ?? assert.fail('baresip recorded nothing');
      const started = Date.parse(String(call['answered_at']));
      const { stamps } = answered.transcript?.[2] ?? assert.fail();
      const untilMs = (stamps['playout_ended_at_ms'] ?? 0) - started + 500;
      const recording = toTelephoneRate(readWav(file)).subarray(0, untilMs * 8);
      return { call, recording };
    } finally {
      await baresip.stop();
      await baresip.remove();
    }
  }
});
