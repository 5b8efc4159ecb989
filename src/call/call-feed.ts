import type { CallProgress } from '../model/call-progress.ts';
import type { CallRecord } from '../model/call.ts';
import type { CallId } from '../model/ids.ts';
import type { CallObserver } from './call-observer.ts';

/** One event of a call; ids count from 1 without gaps. */
export interface FeedEntry {
  readonly id: number;
  /** Unix time. */
  readonly atMs: number;
  readonly progress: CallProgress;
}

export interface CallFeedOptions {
  /** Unix time. */
  readonly nowMs: () => number;
}

export interface FeedListener {
  onEntry(entry: FeedEntry): void;
  /** The call is over and nothing follows; also when it was over before. At most once. */
  onClosed(): void;
}

/** Of one call; the oldest go first. */
const ENTRIES_MAX = 1000;
const LISTENERS_MAX = 100;
/** Ended calls whose events can still be read again. */
const ENDED_MAX = 1000;
const ENDED_KEPT_MS = 300_000;

interface Channel {
  readonly entries: FeedEntry[];
  readonly listeners: Set<FeedListener>;
  lastId: number;
  endedAtMs: number | null;
}

/**
 * What live calls are doing, for whoever watches one: every event kept for a while and numbered,
 * so that a reader who was cut off goes on where it stopped. It owns no timer: what is over is
 * forgotten when other calls end.
 */
export class CallFeed implements CallObserver {
  readonly #nowMs: () => number;
  readonly #channels = new Map<CallId, Channel>();
  /** In the order of their end. */
  readonly #ended = new Set<CallId>();

  constructor({ nowMs }: CallFeedOptions) {
    this.#nowMs = nowMs;
  }

  onProgress({ id }: CallRecord, progress: CallProgress): void {
    const channel = this.#channelOf(id);
    if (channel.endedAtMs !== null) return;
    channel.lastId += 1;
    const entry = { id: channel.lastId, atMs: this.#nowMs(), progress };
    channel.entries.push(entry);
    if (channel.entries.length > ENTRIES_MAX) channel.entries.shift();
    for (const listener of channel.listeners) listener.onEntry(entry);
    if (progress.type === 'ended') this.#close(id, channel);
  }

  /**
   * Tells everything after `afterId` that is still known, then what follows. Gives the function
   * that stops it, or why not: nothing is known of the call, or too many watch it.
   */
  watch(id: CallId, afterId: number, listener: FeedListener): (() => void) | 'unknown' | 'full' {
    const channel = this.#channels.get(id);
    if (channel === undefined) return 'unknown';
    if (channel.listeners.size >= LISTENERS_MAX) return 'full';
    for (const entry of channel.entries) if (entry.id > afterId) listener.onEntry(entry);
    if (channel.endedAtMs !== null) {
      listener.onClosed();
      return () => {};
    }
    channel.listeners.add(listener);
    return () => channel.listeners.delete(listener);
  }

  #channelOf(id: CallId): Channel {
    const known = this.#channels.get(id);
    if (known !== undefined) return known;
    const channel: Channel = { entries: [], listeners: new Set(), lastId: 0, endedAtMs: null };
    this.#channels.set(id, channel);
    return channel;
  }

  #close(id: CallId, channel: Channel): void {
    channel.endedAtMs = this.#nowMs();
    for (const listener of channel.listeners) listener.onClosed();
    channel.listeners.clear();
    this.#ended.add(id);
    this.#forget();
  }

  #forget(): void {
    const oldestMs = this.#nowMs() - ENDED_KEPT_MS;
    for (const id of this.#ended) {
      const isOld = (this.#channels.get(id)?.endedAtMs ?? 0) < oldestMs;
      if (!isOld && this.#ended.size <= ENDED_MAX) return;
      this.#ended.delete(id);
      this.#channels.delete(id);
    }
  }
}
