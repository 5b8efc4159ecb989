import assert from 'node:assert/strict';
import { isWithin } from '../../../src/call/call-window.ts';

describe('a call window', () => {
  const at = (time: string) => Date.parse(`2026-07-01T${time}:00Z`);
  const holds = (start: string, end: string, zone: string, time: string) =>
    isWithin({ start, end }, zone, at(time));

  it('begins with its first minute and ends before its last', () => {
    const office = (time: string) => holds('09:00', '18:00', 'UTC', time);
    assert.deepEqual(['08:59', '09:00', '17:59', '18:00'].map(office), [false, true, true, false]);
  });

  it('goes over midnight when it ends before it begins', () => {
    const night = (time: string) => holds('22:00', '06:00', 'UTC', time);
    assert.deepEqual(['21:59', '22:00', '00:00', '05:59', '06:00'].map(night), [
      false,
      true,
      true,
      true,
      false,
    ]);
  });

  it('is read in its own time zone, summer time included', () => {
    assert.equal(holds('09:00', '18:00', 'Europe/Madrid', '07:00'), true);
    assert.equal(holds('09:00', '18:00', 'Europe/Madrid', '16:00'), false);
    assert.equal(holds('09:00', '18:00', 'America/New_York', '13:00'), true);
  });

  it('is the whole day when both ends are the same', () => {
    for (const time of ['00:00', '08:00', '23:59']) {
      assert.equal(holds('08:00', '08:00', 'UTC', time), true);
    }
  });
});
