import type { Logger } from '../observability/logger.ts';
import {
  AT_ONCE_MAX,
  type AttemptResult,
  type DueDelivery,
  type WebhookRepository,
} from '../storage/webhook-repository.ts';
import type { WebhookSecretRepository } from '../storage/webhook-secret-repository.ts';
import { afterAttempt, type RetryPlan } from './retry-plan.ts';
import type { WebhookClient } from './webhook-client.ts';
import { signatureHeaders } from './webhook-signature.ts';

export interface WebhookSenderOptions {
  readonly deliveries: Pick<WebhookRepository, 'due' | 'claim' | 'finish' | 'purge'>;
  readonly secrets: Pick<WebhookSecretRepository, 'valid'>;
  readonly client: Pick<WebhookClient, 'post'>;
  readonly plan: RetryPlan;
  readonly headerPrefix: string;
  /** Of one attempt: while it lasts nobody else sends the same. */
  readonly timeoutMs: number;
  readonly keepDays: number;
  readonly log: Logger;
  /** Unix time. */
  readonly nowMs: () => number;
}

/** What one attempt needs to know. */
export type Sendable = Pick<
  DueDelivery,
  'id' | 'url' | 'workspaceId' | 'eventType' | 'attempts' | 'body'
>;

const IN_HAND_MAX = 64;
const LOOK_EVERY_MS = 1000;
const PURGE_EVERY_MS = 600_000;
const DAY_MS = 86_400_000;
/** Beyond the attempt itself, for the writes around it. */
const CLAIM_MARGIN_MS = 5000;

/**
 * Sends what is due, over and over. Each event is claimed before it is sent; should this process
 * die, whoever finds the claim run out sends it again.
 */
export class WebhookSender {
  readonly #options: WebhookSenderOptions;
  readonly #inHand = new Set<Promise<void>>();
  readonly #byUrl = new Map<string, number>();
  #timer: NodeJS.Timeout | null = null;
  #looking: Promise<void> | null = null;
  #mustLookAgain = false;
  #isStopped = false;
  #purgedAtMs = Number.NEGATIVE_INFINITY;

  constructor(options: WebhookSenderOptions) {
    this.#options = options;
  }

  get inHand(): number {
    return this.#inHand.size;
  }

  start(): void {
    this.#timer = setInterval(() => this.wake(), LOOK_EVERY_MS);
    this.wake();
  }

  /** There may be something to send. */
  wake(): void {
    if (this.#isStopped) return;
    if (this.#looking !== null) {
      this.#mustLookAgain = true;
      return;
    }
    this.#looking = this.#look()
      .catch((error: unknown) => {
        this.#options.log.warn({ err: error }, 'webhooks could not be read');
      })
      .finally(() => {
        this.#looking = null;
        if (!this.#mustLookAgain) return;
        this.#mustLookAgain = false;
        this.wake();
      });
  }

  /** Attempts in hand are made to their end; what waits is sent after the next start. */
  async stop(): Promise<void> {
    this.#isStopped = true;
    if (this.#timer !== null) clearInterval(this.#timer);
    await this.#looking;
    await Promise.all(this.#inHand);
  }

  /** One attempt, whatever is stored. Never rejects for what the server does. */
  async attempt(delivery: Sendable): Promise<AttemptResult> {
    const { secrets, client, headerPrefix, plan, nowMs } = this.#options;
    const { id, url, workspaceId, eventType, attempts, body } = delivery;
    const valid = await secrets.valid(workspaceId, nowMs());
    const headers = {
      'user-agent': 'Trunkline-Webhooks/1',
      [`${headerPrefix}-Event`]: eventType,
      [`${headerPrefix}-Delivery`]: id,
      [`${headerPrefix}-Attempt`]: String(attempts),
      ...signatureHeaders({ prefix: headerPrefix, secrets: valid, body, nowMs: nowMs() }),
    };
    const result = await client.post(url, headers, body);
    return afterAttempt(result, attempts, plan, nowMs(), Math.random());
  }

  async #look(): Promise<void> {
    const { deliveries, nowMs } = this.#options;
    await this.#purgeSometimes();
    const room = IN_HAND_MAX - this.#inHand.size;
    if (room <= 0) return;
    const due = await deliveries.due(nowMs(), this.#busyUrls(), room);
    for (const delivery of due) {
      const busy = this.#byUrl.get(delivery.url) ?? 0;
      if (busy >= AT_ONCE_MAX || this.#isStopped) continue;
      this.#byUrl.set(delivery.url, busy + 1);
      const sending = this.#send(delivery)
        .catch((error: unknown) => {
          this.#options.log.warn({ err: error, id: delivery.id }, 'a webhook could not be sent');
        })
        .finally(() => {
          this.#inHand.delete(sending);
          this.#release(delivery.url);
          this.wake();
        });
      this.#inHand.add(sending);
    }
  }

  async #send(delivery: DueDelivery): Promise<void> {
    const { deliveries, timeoutMs, log, nowMs } = this.#options;
    const { id, eventType } = delivery;
    const untilMs = nowMs() + timeoutMs + CLAIM_MARGIN_MS;
    if (!(await deliveries.claim(id, nowMs(), untilMs))) return;
    const attempts = delivery.attempts + 1;
    const result = await this.attempt({ ...delivery, attempts });
    await deliveries.finish(id, result);
    const { status, failure } = result;
    if (status === 'failed')
      log.warn({ id, eventType, attempts, failure }, 'a webhook is given up');
  }

  #busyUrls(): string[] {
    return [...this.#byUrl].filter(([, busy]) => busy >= AT_ONCE_MAX).map(([url]) => url);
  }

  #release(url: string): void {
    const left = (this.#byUrl.get(url) ?? 1) - 1;
    if (left === 0) this.#byUrl.delete(url);
    else this.#byUrl.set(url, left);
  }

  async #purgeSometimes(): Promise<void> {
    const { deliveries, keepDays, nowMs } = this.#options;
    if (nowMs() - this.#purgedAtMs < PURGE_EVERY_MS) return;
    this.#purgedAtMs = nowMs();
    await deliveries.purge(nowMs() - keepDays * DAY_MS);
  }
}
