/** A pure tone at 8 kHz, loud enough to be found and not to clip. */
export function toneOf(hz: number, milliseconds: number): Int16Array {
  const samples = new Int16Array(milliseconds * 8);
  for (let n = 0; n < samples.length; n += 1) {
    samples[n] = 6_000 * Math.sin((2 * Math.PI * hz * n) / 8_000);
  }
  return samples;
}
