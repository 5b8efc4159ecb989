import assert from 'node:assert/strict';

/** A pure tone at 8 kHz, loud enough to be found and not to clip. */
export function toneOf(hz: number, milliseconds: number): Int16Array {
  const samples = new Int16Array(milliseconds * 8);
  for (let n = 0; n < samples.length; n += 1) {
    samples[n] = 6_000 * Math.sin((2 * Math.PI * hz * n) / 8_000);
  }
  return samples;
}

/** The tone is there, and louder by far than the other. */
export function assertTone(samples: Int16Array, hz: number, otherHz: number, what: string): void {
  const [own, other] = [hz, otherHz].map((frequency) => power(samples, frequency));
  assert.ok((own ?? 0) > 1e4 && (own ?? 0) > 20 * (other ?? 0), `${what}: ${own} against ${other}`);
}

/** Goertzel, per sample. */
function power(samples: Int16Array, hz: number): number {
  const coefficient = 2 * Math.cos((2 * Math.PI * hz) / 8_000);
  let [s1, s2] = [0, 0];
  for (const sample of samples) [s1, s2] = [sample + coefficient * s1 - s2, s1];
  return (s1 * s1 + s2 * s2 - coefficient * s1 * s2) / Math.max(1, samples.length);
}
