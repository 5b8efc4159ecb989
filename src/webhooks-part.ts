import type { Config } from './config.ts';
import type { CapObserver } from './billing/budget.ts';
import type { CallObserver } from './call/call-observer.ts';
import type { CallId } from './model/ids.ts';
import type { RunTool } from './model/tool-call.ts';
import type { Logger } from './observability/logger.ts';
import type { Storage } from './storage/storage.ts';
import type { Write } from './storage/write-queue.ts';
import { ToolRunner } from './webhooks/tool-runner.ts';
import { WebhookClient } from './webhooks/webhook-client.ts';
import { completedEvent } from './webhooks/webhook-event.ts';
import { WebhookObserver } from './webhooks/webhook-observer.ts';
import { WebhookSender } from './webhooks/webhook-sender.ts';

export interface WebhooksPartOptions {
  readonly config: Config['webhooks'];
  readonly storage: () => Storage;
  readonly log: Logger;
}

/** An end that nobody was told of, and that long ago, is nobody's news any more. */
const UNTOLD_FOR_MS = 86_400_000;
const UNTOLD_EVERY_MS = 15_000;

/** Events on their way to owners' servers, as a part of the daemon. It starts after storage. */
export class WebhooksPart {
  readonly name = 'webhooks';
  readonly #options: WebhooksPartOptions;
  readonly #observer: WebhookObserver;
  #client: WebhookClient | null = null;
  #sender: WebhookSender | null = null;
  #tools: ToolRunner | null = null;
  #untold: NodeJS.Timeout | null = null;

  constructor(options: WebhooksPartOptions) {
    this.#options = options;
    this.#observer = new WebhookObserver({
      deliveries: () => options.storage().webhooks,
      wake: () => this.#sender?.wake(),
      onError: (error) => options.log.error({ err: error }, 'an event could not be stored'),
      nowMs: Date.now,
    });
  }

  get observer(): CallObserver & CapObserver {
    return this.#observer;
  }

  /** @throws TypeError before `start` */
  get sender(): WebhookSender {
    if (this.#sender === null) throw new TypeError('webhooks are not sent yet');
    return this.#sender;
  }

  /** Runs a tool of an owner's on the owner's server; see `RunTool`. */
  readonly runTool: RunTool = async (order, signal) =>
    (await this.#tools?.run(order, signal)) ?? { error: 'tools are not run yet' };

  completionOf(id: CallId): readonly Write[] {
    return this.#observer.completionOf(id);
  }

  async start(): Promise<void> {
    const { config, storage, log } = this.#options;
    const { webhooks: deliveries, webhookSecrets: secrets } = storage();
    const { timeoutMs, allowedNetworks, headerPrefix, keepDays } = config;
    this.#client = new WebhookClient({ allowedNetworks, timeoutMs });
    const client = this.#client;
    this.#tools = new ToolRunner({ secrets, client, headerPrefix, nowMs: Date.now });
    const plan = { attemptsMax: config.attemptsMax, firstPauseMs: config.firstRetryMs };
    this.#sender = new WebhookSender({
      deliveries,
      secrets,
      client,
      plan,
      headerPrefix,
      timeoutMs,
      keepDays,
      log,
      nowMs: Date.now,
    });
    this.#sender.start();
    const tell = () =>
      this.#tellUntold().catch((err: unknown) => log.warn({ err }, 'ends of calls were not told'));
    this.#untold = setInterval(() => void tell(), UNTOLD_EVERY_MS);
    await tell();
  }

  /** Attempts in hand are made to their end; when hurried, cut, and made again after the start. */
  async stop(hurry: AbortSignal): Promise<void> {
    if (this.#untold !== null) clearInterval(this.#untold);
    const cut = () => void this.#client?.close();
    if (hurry.aborted) cut();
    else hurry.addEventListener('abort', cut, { once: true });
    await this.#sender?.stop();
    hurry.removeEventListener('abort', cut);
    await this.#client?.close();
  }

  /** Calls that a dead process left were ended without an observer. */
  async #tellUntold(): Promise<void> {
    const { calls, webhooks } = this.#options.storage();
    for (const { callId, workspaceId } of await webhooks.untold(Date.now() - UNTOLD_FOR_MS)) {
      const call = await calls.find(workspaceId, callId);
      if (call === null || call.endedAtMs === null || call.endReason === null) continue;
      const ending = { ...call, endedAtMs: call.endedAtMs, reason: call.endReason };
      await webhooks.enqueue(completedEvent(call, ending, await calls.transcript(callId)));
      this.#sender?.wake();
    }
  }
}
