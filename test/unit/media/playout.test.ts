import assert from 'node:assert/strict';
import { G711Decoder, G711Encoder } from '../../../src/media/codec/g711-codec.ts';
import { loadOpus } from '../../../src/media/codec/load-opus.ts';
import { MediaError } from '../../../src/media/media-error.ts';
import { Playout } from '../../../src/media/playout.ts';
import { Resampler } from '../../../src/media/resampler.ts';
import { amplitudeAt, concat, tone } from '../../support/audio.ts';

interface Rig {
  readonly playout: Playout;
  wakeUps: number;
  /** Plays so many ticks; the PCM of what was sent, null for silence. */
  ticks(count: number): (Int16Array | null)[];
}

function pcmuRig(): Rig {
  const encoder = new G711Encoder('pcmu');
  const decoder = new G711Decoder('pcmu');
  const playout = new Playout({
    encoder,
    clipEncoder: encoder,
    onReady: () => {
      rig.wakeUps += 1;
    },
    sendDigits: () => Promise.resolve(),
  });
  const rig: Rig = {
    playout,
    wakeUps: 0,
    ticks: (count) =>
      Array.from({ length: count }, () => {
        const payload = playout.takeFrame();
        playout.encodeAhead(3);
        if (payload === null) return null;
        return decoder.decode(Buffer.from(payload), 0, payload.length)?.slice() ?? null;
      }),
  };
  return rig;
}

/** Samples that count upwards in steps µ-law keeps apart. */
function ramp(length: number, start = 0): Int16Array {
  return Int16Array.from({ length }, (_, index) => (start + index) * 8);
}

function nearly(got: Int16Array, expected: Int16Array): void {
  assert.equal(got.length, expected.length);
  for (const [at, sample] of got.entries()) {
    const error = Math.abs(sample - expected[at]!);
    assert.ok(error <= 8 + Math.abs(expected[at]!) / 16, `sample ${at}: ${sample}`);
  }
}

describe('playout', () => {
  it('sends what was written, whatever its pieces, and then silence', () => {
    const rig = pcmuRig();
    const pcm = ramp(400);
    for (const [from, to] of [
      [0, 3],
      [3, 200],
      [200, 399],
      [399, 400],
    ] as const) {
      rig.playout.write({ samples: pcm.subarray(from, to), sampleRateHz: 8000 });
    }
    rig.playout.flush();
    const sent = rig.ticks(4);
    assert.equal(sent[3], null);
    const padded = new Int16Array(480);
    padded.set(pcm);
    nearly(concat(sent.slice(0, 3).map((frame) => frame ?? new Int16Array(0))), padded);
  });

  it('keeps a partial frame back until it is full or flushed', () => {
    const rig = pcmuRig();
    rig.playout.write({ samples: ramp(100), sampleRateHz: 8000 });
    assert.deepEqual(rig.ticks(1), [null]);
    assert.equal(rig.playout.queuedMs(), 12.5);
    rig.playout.flush();
    assert.equal(rig.playout.queuedMs(), 20);
  });

  it('counts as played only what was sent', () => {
    const rig = pcmuRig();
    rig.playout.write({ samples: ramp(1600), sampleRateHz: 8000 });
    rig.ticks(3);
    assert.equal(rig.playout.playedMs(), 60);
    assert.equal(rig.playout.queuedMs(), 140);
    assert.equal(rig.playout.discard(), 140);
    rig.ticks(5);
    assert.equal(rig.playout.playedMs(), 60);
    assert.equal(rig.playout.queuedMs(), 0);
  });

  it('goes on with the very next sample after a hold', () => {
    const rig = pcmuRig();
    const pcm = ramp(800);
    rig.playout.write({ samples: pcm, sampleRateHz: 8000 });
    const before = rig.ticks(2);
    rig.playout.hold();
    assert.deepEqual(rig.ticks(3), [null, null, null]);
    rig.playout.resume();
    const after = rig.ticks(3);
    nearly(concat([...before, ...after].map((frame) => frame ?? new Int16Array(0))), pcm);
  });

  it('ends a hold when it is discarded', () => {
    const rig = pcmuRig();
    rig.playout.write({ samples: ramp(800), sampleRateHz: 8000 });
    rig.playout.hold();
    rig.playout.discard();
    rig.playout.write({ samples: ramp(160), sampleRateHz: 8000 });
    assert.notEqual(rig.ticks(1)[0], null);
  });

  it('calls for its tick when an utterance begins, not within it', () => {
    const rig = pcmuRig();
    rig.playout.write({ samples: ramp(160), sampleRateHz: 8000 });
    assert.equal(rig.wakeUps, 1);
    rig.playout.write({ samples: ramp(320), sampleRateHz: 8000 });
    rig.ticks(1);
    const begun = rig.wakeUps;
    rig.playout.write({ samples: ramp(160), sampleRateHz: 8000 });
    assert.equal(rig.wakeUps, begun);
    rig.ticks(5);
    rig.playout.write({ samples: ramp(160), sampleRateHz: 8000 });
    assert.equal(rig.wakeUps, begun + 1);
  });

  it('resolves drained when the last frame was sent, by discard, and when closed', async () => {
    const rig = pcmuRig();
    const states: string[] = [];
    await rig.playout.drained();
    rig.playout.write({ samples: ramp(200), sampleRateHz: 8000 });
    const drained = rig.playout.drained().then(() => states.push('drained'));
    rig.ticks(1);
    await Promise.resolve();
    assert.deepEqual(states, []);
    rig.ticks(1);
    await drained;
    for (const end of ['discard', 'close'] as const) {
      rig.playout.write({ samples: ramp(800), sampleRateHz: 8000 });
      const waiting = rig.playout.drained();
      rig.playout[end]();
      await waiting;
    }
  });

  it('converts any rate, and loses nothing at the end', () => {
    const rig = pcmuRig();
    rig.playout.write({ samples: tone(500, 22050, 400), sampleRateHz: 22050 });
    rig.playout.flush();
    const sent = rig.ticks(22).filter((frame) => frame !== null);
    assert.equal(sent.length, 21);
    const pcm = concat(sent);
    assert.ok(Math.abs(amplitudeAt(500, pcm.subarray(160, 3200), 8000) - 8000) < 400);
    assert.ok(amplitudeAt(500, pcm.subarray(3040, 3200), 8000) > 7000);
  });

  it('converts a long clause tick by tick, to the sample as if in one go', () => {
    const rig = pcmuRig();
    const clause = tone(440, 16000, 4010);
    const expected = new Resampler(16000, 8000).process(clause).slice();
    rig.playout.write({ samples: clause.slice(), sampleRateHz: 16000 });
    assert.equal(rig.playout.queuedMs(), 4010);
    rig.playout.flush();
    const sent = rig.ticks(210).filter((frame) => frame !== null);
    nearly(concat(sent).subarray(0, expected.length), expected);
    assert.equal(rig.playout.queuedMs(), 0);
  });

  it('keeps its own copy of what it was given and has not converted yet', () => {
    const rig = pcmuRig();
    const samples = ramp(1600);
    const expected = samples.slice();
    rig.playout.write({ samples, sampleRateHz: 8000 });
    samples.fill(0);
    nearly(concat(rig.ticks(10).map((frame) => frame ?? new Int16Array(0))), expected);
  });

  it('resolves drained after whole frames that were flushed, and counts what is discarded', async () => {
    const rig = pcmuRig();
    rig.playout.write({ samples: ramp(320), sampleRateHz: 8000 });
    const drained = rig.playout.drained();
    assert.equal(rig.ticks(2).filter((frame) => frame !== null).length, 2);
    await drained;
    rig.playout.write({ samples: ramp(8000), sampleRateHz: 8000 });
    rig.ticks(3);
    assert.equal(rig.playout.discard(), 940);
    assert.deepEqual(rig.ticks(1), [null]);
  });

  it('plays clips made earlier, after what was written', () => {
    const rig = pcmuRig();
    const clip = rig.playout.encode({ samples: ramp(200, 500), sampleRateHz: 8000 });
    assert.deepEqual([clip.durationMs, clip.frames.length, clip.format], [40, 2, 'PCMU/8000']);
    rig.playout.write({ samples: ramp(100), sampleRateHz: 8000 });
    rig.playout.writeClip(clip);
    const sent = rig.ticks(4);
    nearly(sent[1] ?? new Int16Array(0), ramp(160, 500));
    assert.equal(sent[3], null);
  });

  it('refuses a clip of another codec and more than a minute of audio', () => {
    const { playout } = pcmuRig();
    const clip = { durationMs: 20, frames: [new Uint8Array(160)], format: 'PCMA/8000' };
    const hasCode = (code: string) => (error: unknown) =>
      error instanceof MediaError && error.code === code;
    assert.throws(() => playout.writeClip(clip), hasCode('MEDIA_CLIP_FORMAT_MISMATCH'));
    for (let second = 0; second < 60; second += 1) {
      playout.write({ samples: new Int16Array(8000), sampleRateHz: 8000 });
    }
    assert.throws(
      () => playout.write({ samples: new Int16Array(160), sampleRateHz: 8000 }),
      hasCode('MEDIA_QUEUE_FULL'),
    );
  });

  it('swallows what is written after the leg closed', async () => {
    const { playout } = pcmuRig();
    playout.close();
    playout.write({ samples: ramp(160), sampleRateHz: 8000 });
    assert.equal(playout.queuedMs(), 0);
    await playout.drained();
  });

  it('keeps what waits when a re-INVITE changes the codec', () => {
    const rig = pcmuRig();
    rig.playout.write({ samples: ramp(500), sampleRateHz: 8000 });
    rig.ticks(1);
    const alaw = new G711Encoder('pcma');
    rig.playout.changeEncoder(alaw, alaw, new G711Decoder('pcmu'));
    assert.equal(rig.playout.format, 'PCMA/8000');
    assert.equal(rig.playout.queuedMs(), 42.5);
    const payload = Buffer.from(rig.playout.takeFrame() ?? []);
    const pcm = new G711Decoder('pcma').decode(payload, 0, payload.length);
    nearly(pcm ?? new Int16Array(0), ramp(160, 160));
  });
});

describe('playout in Opus', () => {
  it('encodes anew after a hold what it had encoded ahead, so that speech returns at full level', async () => {
    const opus = await loadOpus('wasm');
    assert.ok(opus);
    const encoder = await opus.createEncoder(24000);
    const decoder = await opus.createDecoder();
    const playout = new Playout({
      encoder,
      clipEncoder: encoder,
      onReady: () => {},
      sendDigits: () => Promise.resolve(),
    });
    const play = (): Int16Array => {
      const payload = Buffer.from(playout.takeFrame() ?? encoder.silence);
      playout.encodeAhead(3);
      return decoder.decode(payload, 0, payload.length)?.slice() ?? new Int16Array(0);
    };
    playout.write({ samples: tone(300, 24000, 600), sampleRateHz: 24000 });
    for (let tick = 0; tick < 10; tick += 1) play();
    playout.hold();
    for (let tick = 0; tick < 10; tick += 1) play();
    playout.resume();
    const pcm = concat([play(), play(), play()]);
    assert.ok(Math.abs(amplitudeAt(300, pcm.subarray(320), 16000) - 8000) < 900);
    assert.equal(playout.queuedMs(), 600 - 13 * 20);
    encoder.close();
    decoder.close();
  });
});
