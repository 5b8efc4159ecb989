import { eventOfDigit } from './telephone-event.ts';

const ROWS_HZ = [697, 770, 852, 941];
const COLUMNS_HZ = [1209, 1336, 1477, 1633];
const KEYPAD = '123A456B789C*0#D';
/** Each of both tones: about -10 dBm0 together, with a column a little louder (Q.23 twist). */
const ROW_AMPLITUDE = 5500;
const COLUMN_AMPLITUDE = 6500;
const RAMP_MS = 2;

/** One keypad tone pair (ITU-T Q.23) followed by a pause, for a leg without telephone-event. */
export function dtmfTone(
  digit: string,
  sampleRateHz: number,
  toneMs: number,
  pauseMs: number,
): Int16Array {
  const key = eventOfDigit(digit) === -1 ? -1 : KEYPAD.indexOf(digit.toUpperCase());
  const row = ROWS_HZ[key >> 2];
  const column = COLUMNS_HZ[key & 3];
  const toneSamples = Math.round((toneMs * sampleRateHz) / 1000);
  const pcm = new Int16Array(toneSamples + Math.round((pauseMs * sampleRateHz) / 1000));
  if (row === undefined || column === undefined) return pcm;
  const ramp = Math.round((RAMP_MS * sampleRateHz) / 1000);
  for (let index = 0; index < toneSamples; index += 1) {
    const gain = Math.min(1, index / ramp, (toneSamples - index) / ramp);
    const angle = (2 * Math.PI * index) / sampleRateHz;
    const value =
      ROW_AMPLITUDE * Math.sin(row * angle) + COLUMN_AMPLITUDE * Math.sin(column * angle);
    pcm[index] = gain * value;
  }
  return pcm;
}
