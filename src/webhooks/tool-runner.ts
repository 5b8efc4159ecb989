import { randomId } from '../lib/random-id.ts';
import type { ToolOrder } from '../model/tool-call.ts';
import type { WebhookSecretRepository } from '../storage/webhook-secret-repository.ts';
import type { PostFailure, WebhookClient } from './webhook-client.ts';
import { signatureHeaders } from './webhook-signature.ts';

export interface ToolRunnerOptions {
  readonly secrets: Pick<WebhookSecretRepository, 'valid'>;
  readonly client: Pick<WebhookClient, 'ask'>;
  /** Of the signature's headers, `X-Trunkline`. */
  readonly headerPrefix: string;
  /** Unix time. */
  readonly nowMs: () => number;
}

/** Bytes of an answer that are read; a longer one is a failure, since half of it would mislead. */
export const TOOL_ANSWER_MAX_BYTES = 65_536;
/** Bytes of arguments that are sent. */
const ARGUMENTS_MAX_BYTES = 65_536;

const FAILURES: Readonly<Record<PostFailure, string>> = {
  'address-not-allowed': 'the address of the tool is not allowed',
  'name-not-found': 'the server of the tool was not found',
  timeout: 'the tool did not answer in time',
  'connection-refused': 'the server of the tool cannot be reached',
  'connection-broken': 'the server of the tool broke off',
  'tls-failed': "the certificate of the tool's server is not valid",
  'answer-too-long': `the tool answered more than ${TOOL_ANSWER_MAX_BYTES} bytes`,
};

/**
 * Runs tools of owners on their own servers: one signed POST, as webhooks are signed and guarded,
 * tried once, since nobody knows whether a tool may be used twice. A 2xx with JSON or text is the
 * result; everything else is an `error` in words for the model.
 */
export class ToolRunner {
  readonly #options: ToolRunnerOptions;

  constructor(options: ToolRunnerOptions) {
    this.#options = options;
  }

  /** See `RunTool`. */
  async run(order: ToolOrder, signal: AbortSignal): Promise<unknown> {
    const { url } = order.tool;
    if (url === undefined) return { error: 'the tool has no server' };
    try {
      return await this.#ask(url, order, signal);
    } catch {
      return { error: 'the tool failed' };
    }
  }

  async #ask(url: string, order: ToolOrder, signal: AbortSignal): Promise<unknown> {
    const { secrets, client, headerPrefix: prefix, nowMs } = this.#options;
    const body = bodyOf(order, nowMs());
    if (body.length > ARGUMENTS_MAX_BYTES) return { error: 'the arguments are too long' };
    const valid = await secrets.valid(order.workspaceId, nowMs());
    const headers = {
      'user-agent': 'Trunkline-Tools/1',
      accept: 'application/json, text/plain',
      [`${prefix}-Event`]: 'tool.call',
      ...signatureHeaders({ prefix, secrets: valid, body, nowMs: nowMs() }),
    };
    const asked = await client.ask(url, headers, body, {
      answerBytesMax: TOOL_ANSWER_MAX_BYTES,
      signal,
    });
    if (asked.type === 'failed') return { error: FAILURES[asked.why] };
    if (asked.status < 200 || asked.status > 299) {
      return { error: `the tool answered ${asked.status}`, detail: resultOf(asked.text) };
    }
    return resultOf(asked.text);
  }
}

function bodyOf({ workspaceId, agentId, callId, call }: ToolOrder, nowMs: number): string {
  return JSON.stringify({
    event_id: randomId('evt'),
    event_type: 'tool.call',
    created_at: new Date(nowMs).toISOString(),
    payload: {
      workspace_id: workspaceId,
      agent_id: agentId,
      call_id: callId,
      tool_call_id: call.id,
      name: call.name,
      arguments: call.arguments,
    },
  });
}

/** JSON as what it says, anything else as text. */
function resultOf(text: string): unknown {
  const trimmed = text.trim();
  if (trimmed === '') return { ok: true };
  try {
    return JSON.parse(trimmed);
  } catch {
    return trimmed;
  }
}
