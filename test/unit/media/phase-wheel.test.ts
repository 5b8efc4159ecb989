import assert from 'node:assert/strict';
import { LatenessHistogram } from '../../../src/media/lateness-histogram.ts';
import { PhaseWheel } from '../../../src/media/phase-wheel.ts';

describe('the phase wheel', () => {
  it('runs a task every 20 ms without drift', () => {
    const wheel = new PhaseWheel(1000);
    const ranAt: number[] = [];
    wheel.addSender((nowMs) => ranAt.push(nowMs), 1000);
    for (let nowMs = 1000; nowMs < 3000; nowMs += 0.5) wheel.run(nowMs);
    assert.equal(ranAt.length, 100);
    assert.deepEqual(new Set(ranAt.slice(1).map((at, n) => at - ranAt[n]!)), new Set([20]));
  });

  it('spreads tasks over ten phases', () => {
    const wheel = new PhaseWheel(0);
    const perSlot = new Map<number, number>();
    for (let task = 0; task < 30; task += 1) {
      wheel.addSender((nowMs) => perSlot.set(nowMs, (perSlot.get(nowMs) ?? 0) + 1), 0);
    }
    for (let nowMs = 0; nowMs <= 20; nowMs += 2) wheel.run(nowMs);
    assert.deepEqual(
      [...perSlot.values()],
      Array.from({ length: 10 }, () => 3),
    );
  });

  it('lets everyone send before anyone works', () => {
    const wheel = new PhaseWheel(0);
    const order: string[] = [];
    for (let task = 0; task < 10; task += 1) {
      wheel.addWorker(() => order.push('work'), 0);
      wheel.addSender(() => order.push('send'), 0);
    }
    wheel.run(30);
    assert.deepEqual(
      order.slice(0, 10),
      Array.from({ length: 10 }, () => 'send'),
    );
  });

  it('makes up for a short stall and skips a long one, telling how much', () => {
    const wheel = new PhaseWheel(0);
    const missed: number[] = [];
    wheel.addSender((_nowMs, frames) => missed.push(frames), 0);
    wheel.run(2);
    wheel.run(62);
    assert.deepEqual(missed, [0, 0, 0, 0]);
    wheel.run(1062);
    assert.equal(missed.length, 10);
    assert.equal(
      missed.reduce((sum, frames) => sum + frames),
      44,
    );
    assert.equal(wheel.slotsSkipped > 0, true);
  });

  it('moves a seat forward and says what was gained, and back again', () => {
    const wheel = new PhaseWheel(0);
    const ranAt: number[] = [];
    const seat = wheel.addSender((nowMs) => ranAt.push(nowMs), 0);
    for (let nowMs = 0; nowMs <= 26; nowMs += 2) wheel.run(nowMs);
    const gained = wheel.hurry(seat, 26.5);
    for (let nowMs = 28; nowMs <= 50; nowMs += 2) wheel.run(nowMs);
    wheel.delay(seat, gained);
    for (let nowMs = 52; nowMs <= 110; nowMs += 2) wheel.run(nowMs);
    assert.deepEqual([ranAt, gained], [[2, 22, 28, 48, 82, 102], 7]);
  });

  it('knows when there is nothing to do', () => {
    const wheel = new PhaseWheel(0);
    assert.equal(wheel.nextBusySlot(), -1);
    const seat = wheel.addWorker(() => {}, 0);
    assert.equal(wheel.nextBusySlot(), 1);
    wheel.remove(seat);
    assert.equal(wheel.nextBusySlot(), -1);
  });

  it('survives tasks that remove themselves and others', () => {
    const wheel = new PhaseWheel(0);
    let runs = 0;
    const seats = Array.from({ length: 20 }, (_, task) =>
      wheel.addSender(() => {
        runs += 1;
        wheel.remove(seats[task]!);
        wheel.remove(seats[(task + 10) % 20]!);
      }, 0),
    );
    wheel.run(40);
    assert.equal(wheel.seatCount, 0);
    assert.equal(runs, 10);
  });
});

describe('the lateness histogram', () => {
  it('gives quantiles as upper bounds, and the maximum', () => {
    const histogram = new LatenessHistogram();
    for (let n = 0; n < 98; n += 1) histogram.add(0.05);
    histogram.add(1.5);
    histogram.add(70);
    assert.equal(histogram.quantileMs(0.5), 0.1);
    assert.equal(histogram.quantileMs(0.99), 2);
    assert.equal(histogram.quantileMs(1), 70);
    assert.equal(histogram.maxMs, 70);
  });
});
