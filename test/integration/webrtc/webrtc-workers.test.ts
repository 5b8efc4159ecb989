import assert from 'node:assert/strict';
import { once } from 'node:events';
import { Worker } from 'node:worker_threads';

/** Each test fails by ending the whole process: that is what it guards against. */
describe('WebRTC in several workers', () => {
  function startWorker(end: 'close' | 'crash'): Worker {
    const file = new URL('../../support/webrtc-worker.ts', import.meta.url);
    return new Worker(file, { workerData: { end } });
  }

  async function finish(worker: Worker): Promise<unknown> {
    const ended = new Promise((resolve) => {
      worker.once('error', resolve);
      worker.once('exit', resolve);
    });
    // oxlint-disable-next-line unicorn/require-post-message-target-origin -- a worker's port
    worker.postMessage('end');
    return ended;
  }

  it('works in two at once', async () => {
    const workers = [startWorker('close'), startWorker('close')];
    await Promise.all(workers.map((worker) => once(worker, 'message')));
    assert.deepEqual(await Promise.all(workers.map(finish)), [0, 0]);
  });

  it('works in one that replaces another', async () => {
    for (let round = 0; round < 3; round += 1) {
      const worker = startWorker('close');
      await once(worker, 'message');
      assert.equal(await finish(worker), 0);
    }
  });

  it('goes on in the others when one crashes in mid-call', async () => {
    const [lives, dies] = [startWorker('close'), startWorker('crash')];
    await Promise.all([once(lives, 'message'), once(dies, 'message')]);
    assert.match(String(await finish(dies)), /crash in mid-call/);
    assert.equal(await finish(lives), 0);
  });
});
