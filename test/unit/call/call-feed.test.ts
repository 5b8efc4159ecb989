import assert from 'node:assert/strict';
import { CallFeed, type FeedEntry } from '../../../src/call/call-feed.ts';
import type { CallProgress } from '../../../src/model/call-progress.ts';
import type { CallRecord } from '../../../src/model/call.ts';
import { asAgentId, asCallId, asWorkspaceId } from '../../../src/model/ids.ts';

const ANSWERED: CallProgress = { type: 'answered' };
const ENDED: CallProgress = {
  type: 'ended',
  reason: 'caller-hung-up',
  blame: 'none',
  sipStatus: null,
  detail: null,
};

describe('the feed of a call', () => {
  let nowMs = 0;
  let feed: CallFeed;
  beforeEach(() => {
    nowMs = 1000;
    feed = new CallFeed({ nowMs: () => nowMs });
  });

  it('tells a late watcher what it missed, then what follows, then that it is over', () => {
    feed.onProgress(call('call_a'), { type: 'initiated' });
    feed.onProgress(call('call_a'), ANSWERED);
    const seen = watch(feed, 'call_a', 1);
    feed.onProgress(call('call_a'), ENDED);
    assert.deepEqual(seen.entries, [
      { id: 2, atMs: 1000, progress: ANSWERED },
      { id: 3, atMs: 1000, progress: ENDED },
    ]);
    assert.equal(seen.closed(), 1);
  });

  it('is still there for a while after the end', () => {
    feed.onProgress(call('call_a'), { type: 'initiated' });
    feed.onProgress(call('call_a'), ENDED);
    const seen = watch(feed, 'call_a', 0);
    assert.deepEqual([seen.entries.length, seen.closed()], [2, 1]);
  });

  it('is forgotten when another call ends long after', () => {
    feed.onProgress(call('call_a'), ENDED);
    nowMs += 300_001;
    feed.onProgress(call('call_b'), ENDED);
    assert.equal(
      feed.watch(asCallId('call_a'), 0, { onEntry: () => {}, onClosed: () => {} }),
      'unknown',
    );
  });

  it('stops telling whoever has gone', () => {
    feed.onProgress(call('call_a'), { type: 'initiated' });
    const seen = watch(feed, 'call_a', 0);
    seen.stop();
    feed.onProgress(call('call_a'), ANSWERED);
    assert.equal(seen.entries.length, 1);
  });

  it('keeps the newest of very many events', () => {
    for (let i = 0; i < 1500; i += 1) feed.onProgress(call('call_a'), ANSWERED);
    const { entries } = watch(feed, 'call_a', 0);
    assert.deepEqual([entries.length, entries[0]?.id, entries.at(-1)?.id], [1000, 501, 1500]);
  });

  it('is watched by a bounded number', () => {
    feed.onProgress(call('call_a'), { type: 'initiated' });
    for (let i = 0; i < 100; i += 1) watch(feed, 'call_a', 0);
    assert.equal(
      feed.watch(asCallId('call_a'), 0, { onEntry: () => {}, onClosed: () => {} }),
      'full',
    );
  });
});

function watch(feed: CallFeed, id: string, afterId: number) {
  const entries: FeedEntry[] = [];
  let closed = 0;
  const stop = feed.watch(asCallId(id), afterId, {
    onEntry: (entry) => entries.push(entry),
    onClosed: () => {
      closed += 1;
    },
  });
  if (typeof stop === 'string') throw new Error(stop);
  return { entries, closed: () => closed, stop };
}

function call(id: string): CallRecord {
  return {
    id: asCallId(id),
    workspaceId: asWorkspaceId('ws_demo'),
    agentId: asAgentId('agt_demo'),
    direction: 'inbound',
    door: 'trunk',
    status: 'initiated',
    fromNumber: '',
    toNumber: '',
    sipCallId: null,
    startedAtMs: 0,
    answeredAtMs: null,
    endedAtMs: null,
    endReason: null,
    sipStatus: null,
    report: null,
  };
}
