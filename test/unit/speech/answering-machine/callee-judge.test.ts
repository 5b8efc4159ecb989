import assert from 'node:assert/strict';
import type { AnsweredBy, MachineDetection } from '../../../../src/model/machine-detection.ts';
import {
  type CalleeAction,
  CalleeJudge,
} from '../../../../src/speech/answering-machine/callee-judge.ts';
import { isMachinePhrase } from '../../../../src/speech/answering-machine/machine-phrases.ts';
import { loadEmbeddedVoiceActivity } from '../../../../src/speech/providers/embedded-voice-activity.ts';
import type { VoiceActivityDetector } from '../../../../src/speech/provider.ts';
import { tone } from '../../../support/audio.ts';
import { seededRandom } from '../../../support/random.ts';
import {
  callerSays,
  type CallerVoice,
  hasTestCaller,
  joined,
  lineSilence,
} from '../../../support/test-caller.ts';

const RATE_HZ = 8000;
const FRAME = 160;
const VOICES: readonly CallerVoice[] = ['rms', 'slt', 'awb'];
const POLICY: MachineDetection = { policy: 'leave_message', message: null, waitMsMax: 6000 };

const HUMANS = [
  'hello',
  'hello?',
  'yes',
  'hi, this is Carla',
  'good morning',
  'Smith speaking',
  'hello, who is this?',
  'hi there',
  'Bakery on Main Street, good afternoon',
  'Acme plumbing, how can I help you?',
  'hello, Doctor Brown speaking',
  "yes, hello, what's up",
];
const MACHINES = [
  'Hi, you have reached Bob and Alice. We are not at home right now. Please leave a message after the tone.',
  'The person you have called is not available. Please record your message after the beep.',
  'You have reached the voice mailbox of six one four five five five. To leave a message, wait for the tone.',
  'Hello, this is Carla. I cannot come to the phone right now, so leave your name and number and I will call you back.',
  'Your call has been forwarded to an automatic voice message system. At the tone, please record your message.',
  'Thank you for calling Acme plumbing. Our office is closed. Our hours are nine to five, Monday to Friday.',
  'Sorry we missed your call. Please leave your name, your number and a short message after the signal.',
];
const BEEPS = [440, 1000, 1400, 2000];

/** White noise at that level below full scale, over the whole piece. */
function withNoise(samples: Int16Array, dbfs: number, seed: number): Int16Array {
  const next = seededRandom(seed);
  const amplitude = 32_768 * 10 ** (dbfs / 20) * Math.sqrt(3);
  return samples.map((sample) =>
    Math.max(-32_768, Math.min(32_767, Math.round(sample + amplitude * (2 * next() - 1)))),
  );
}

interface Judgement {
  readonly answeredBy: AnsweredBy | null;
  readonly action: CalleeAction | null;
  readonly atMs: number;
}

describe('who answered an outbound call', function () {
  this.timeout(120_000);
  let newDetector: (sampleRateHz: number) => VoiceActivityDetector;
  before(async function () {
    if (!hasTestCaller) {
      process.stderr.write('skipped: needs the Debian package flite\n');
      this.skip();
    }
    newDetector = await loadEmbeddedVoiceActivity();
  });

  /** Ends with the first opinion: what a machine says after it costs only time. */
  const opinion = (line: Int16Array) => judged(line, { ...POLICY, policy: 'hang_up' });

  function judged(line: Int16Array, detection = POLICY): Judgement {
    const judge = new CalleeJudge(detection);
    const detector = newDetector(RATE_HZ);
    for (let at = 0; at + FRAME <= line.length; at += FRAME) {
      const frame = { samples: line.subarray(at, at + FRAME), sampleRateHz: RATE_HZ };
      const atMs = at / 8;
      const action = judge.hear(frame, detector.process(frame), atMs);
      if (action === null) continue;
      detector.close();
      return { answeredBy: judge.answeredBy, action, atMs };
    }
    detector.close();
    return { answeredBy: judge.answeredBy, action: null, atMs: line.length / 8 };
  }

  it('is told for greetings of three voices, clean and in noise', () => {
    const counts = new Map<string, number>();
    const slow: number[] = [];
    const wrong: string[] = [];
    const count = (truth: string, { answeredBy }: Judgement, what: string) => {
      const got = answeredBy === 'machine-beep' ? 'machine' : (answeredBy ?? 'undecided');
      counts.set(`${truth} → ${got}`, (counts.get(`${truth} → ${got}`) ?? 0) + 1);
      if (got !== truth) wrong.push(`${what} → ${got}`);
    };
    let seed = 0;
    for (const voice of VOICES) {
      for (const noiseDbfs of [-90, -50, -40]) {
        for (const text of HUMANS) {
          seed += 1;
          const line = joined(lineSilence(400), callerSays(text, voice), lineSilence(6000));
          const judgement = opinion(withNoise(line, noiseDbfs, seed));
          count('human', judgement, `${voice} ${noiseDbfs} ${text}`);
          if (judgement.answeredBy === 'human')
            slow.push(judgement.atMs - (line.length / 8 - 6000));
        }
        for (const [index, text] of MACHINES.entries()) {
          seed += 1;
          const beep = tone(BEEPS[index % 4] ?? 1000, RATE_HZ, 300 + 100 * (index % 5), 5000);
          const end = index === 5 ? lineSilence(0) : joined(lineSilence(600), beep);
          const line = joined(lineSilence(700), callerSays(text, voice), end, lineSilence(6000));
          count(
            'machine',
            opinion(withNoise(line, noiseDbfs, seed)),
            `${voice} ${noiseDbfs} ${text}`,
          );
        }
      }
    }
    slow.sort((a, b) => a - b);
    const of = (name: string) => counts.get(name) ?? 0;
    const told = [...counts].map(([name, times]) => `${name}: ${times}`).join(', ');
    const waitMs = slow[Math.floor(slow.length * 0.95)] ?? 0;
    process.stderr.write(`      ${told}; a person waits ${waitMs} ms at most in 95 of 100\n`);
    const report = `${told}\n${wrong.join('\n')}`;
    assert.ok(of('human → machine') <= 1, report);
    assert.ok(of('human → human') >= 103, report);
    assert.ok(of('machine → machine') >= 60, report);
    assert.ok(waitMs <= 1300, report);
  });

  it('leaves a message right after the beep', () => {
    for (const frequencyHz of BEEPS) {
      const greeting = joined(lineSilence(500), callerSays(MACHINES[0] ?? ''), lineSilence(800));
      const line = joined(greeting, tone(frequencyHz, RATE_HZ, 400, 4000), lineSilence(3000));
      const { answeredBy, action, atMs } = judged(line);
      assert.deepEqual([answeredBy, action], ['machine-beep', 'leave-message']);
      const beepEndsAtMs = greeting.length / 8 + 400;
      assert.ok(atMs >= beepEndsAtMs + 150 && atMs <= beepEndsAtMs + 320, `${atMs - beepEndsAtMs}`);
    }
  });

  it('leaves a message when a greeting without a beep is over', () => {
    const line = joined(lineSilence(500), callerSays(MACHINES[5] ?? ''), lineSilence(6000));
    const { answeredBy, action, atMs } = judged(line);
    assert.deepEqual([answeredBy, action], ['machine', 'leave-message']);
    assert.ok(atMs >= line.length / 8 - 6000 + 1500, 'not into the greeting');
  });

  it('hears a beep after a greeting as short as a person’s', () => {
    const greeting = joined(lineSilence(300), callerSays('this is Bob'), lineSilence(300));
    const line = joined(greeting, tone(1000, RATE_HZ, 500, 5000), lineSilence(2000));
    assert.equal(judged(line).answeredBy, 'machine-beep');
  });

  it('hangs up, or lets the agent begin, as the policy says', () => {
    const line = joined(lineSilence(500), callerSays(MACHINES[1] ?? ''), lineSilence(3000));
    assert.equal(judged(line, { ...POLICY, policy: 'hang_up' }).action, 'hang-up');
    assert.equal(judged(line, { ...POLICY, policy: 'continue' }).action, 'converse');
  });

  it('lets the agent begin when nobody speaks, and when the time is up', () => {
    const silence = judged(lineSilence(8000));
    assert.deepEqual([silence.answeredBy, silence.action], ['unknown', 'converse']);
    assert.ok(silence.atMs <= 3600);
    const talk = joined(lineSilence(100), callerSays(MACHINES[0] ?? ''));
    const hurried = judged(talk, { ...POLICY, waitMsMax: 2000 });
    assert.deepEqual([hurried.answeredBy, hurried.action], ['unknown', 'converse']);
    assert.ok(hurried.atMs >= 2000 && hurried.atMs <= 2100, `${hurried.atMs}`);
  });

  it('takes no tone for a beep that is none', () => {
    const other = {
      'a busy tone': joined(tone(425, RATE_HZ, 3000, 5000), lineSilence(500)),
      'a fax': joined(tone(1100, RATE_HZ, 3000, 5000), lineSilence(500)),
      'a click': joined(tone(1000, RATE_HZ, 60, 8000), lineSilence(500)),
      'a deep hum': joined(tone(150, RATE_HZ, 500, 8000), lineSilence(500)),
      'a key': joined(
        tone(770, RATE_HZ, 300, 4000).map(
          (sample, at) => sample + (tone(1336, RATE_HZ, 300, 4000)[at] ?? 0),
        ),
        lineSilence(500),
      ),
    };
    for (const [what, line] of Object.entries(other)) {
      const start = joined(lineSilence(300), line, lineSilence(300));
      assert.notEqual(judged(start).answeredBy, 'machine-beep', what);
    }
  });

  it('knows a machine by its words', () => {
    const judge = new CalleeJudge(POLICY);
    const quiet = { samples: new Int16Array(FRAME), sampleRateHz: RATE_HZ };
    judge.hear(quiet, 0, 0);
    judge.heardWords('Hi, please leave a message');
    judge.hear(quiet, 0, 20);
    assert.equal(judge.answeredBy, 'machine');
    for (const text of MACHINES.slice(0, 5)) assert.ok(isMachinePhrase(text), text);
    for (const text of HUMANS) assert.equal(isMachinePhrase(text), false, text);
  });
});
