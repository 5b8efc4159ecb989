import type { ToolDefinition } from '../../model/agent.ts';
import { DialogueError } from '../dialogue-error.ts';
import type { Message } from '../message.ts';
import type { Brain, ReplyOptions, ReplyPart } from '../reply.ts';
import { requestEvents, warmConnection } from './event-request.ts';
import { chatRequest, readChunk, type ChatDelta, type OpenAiSettings } from './openai-wire.ts';
import { errorFromStream, parseJson, parseProviderError } from './provider-error.ts';
import { ThinkingFilter } from './thinking-filter.ts';
import { ToolCallAssembler } from './tool-call-assembler.ts';

/** Longest reply; more is a model gone wild. */
export const REPLY_LENGTH_MAX = 65_536;

const DONE = '[DONE]';

/**
 * A language model behind `POST {baseUrl}/chat/completions`: OpenAI, Groq, OpenRouter, Ollama,
 * vLLM, llama.cpp and others that speak it, each with its own small habits.
 */
export function createOpenAiBrain(
  settings: OpenAiSettings,
  tools: readonly ToolDefinition[],
): Brain {
  const base = settings.baseUrl.replace(/\/+$/, '');
  // Servers at home often need no key.
  const headers: Record<string, string> =
    settings.apiKey === '' ? {} : { authorization: `Bearer ${settings.apiKey}` };

  return {
    name: 'openai',

    async *reply(history: readonly Message[], { signal, onStage }: ReplyOptions) {
      const reader = new ReplyReader();
      const events = requestEvents({
        url: `${base}/chat/completions`,
        headers,
        body: chatRequest(settings, history, tools),
        signal,
        timeoutMs: settings.timeoutMs,
        onRequested: () => onStage?.('requested'),
        isWhole: () => reader.isFinished,
      });
      let isFirst = true;
      for await (const { data } of events) {
        for (const part of reader.read(data)) {
          if (isFirst) onStage?.('first-token');
          isFirst = false;
          yield part;
          if (signal.aborted) return;
        }
        if (reader.isFinished) return;
      }
      if (!signal.aborted) throw brokenStream();
    },

    prewarm: (signal) => warmConnection(`${base}/models`, headers, signal),
  };
}

/** Makes reply parts of events. Tool calls come last, when all their pieces are there. */
class ReplyReader {
  readonly #calls = new ToolCallAssembler();
  readonly #thinking = new ThinkingFilter();
  #length = 0;
  /** A finish reason came, or the end mark; usage that may follow is not waited for. */
  isFinished = false;

  *read(data: string): Generator<ReplyPart, void> {
    if (data.trim() === DONE) {
      yield* this.#finish();
      return;
    }
    const value = parseJson(data);
    const error = parseProviderError(value);
    if (error !== null) throw errorFromStream(error);
    const delta = readChunk(value);
    if (delta === null) throw badResponse('sent an event that is no chat completion chunk');
    yield* this.#text(this.#thinking.push(delta.text));
    this.#keepCalls(delta);
    if (delta.finishReason !== null) yield* this.#finish();
  }

  *#finish(): Generator<ReplyPart, void> {
    this.isFinished = true;
    yield* this.#text(this.#thinking.end());
    for (const call of this.#calls.take()) yield { type: 'tool-call', ...call };
  }

  *#text(text: string): Generator<ReplyPart, void> {
    if (text === '') return;
    this.#length += text.length;
    if (this.#length > REPLY_LENGTH_MAX) throw badResponse('sent a reply without end');
    yield { type: 'text', text };
  }

  #keepCalls({ toolCalls }: ChatDelta): void {
    try {
      for (const call of toolCalls) this.#calls.push(call);
    } catch (error) {
      throw badResponse('asked for more tools than any reply may', error);
    }
  }
}

function badResponse(what: string, cause?: unknown): DialogueError {
  return new DialogueError('LLM_BAD_RESPONSE', `the language model provider ${what}`, { cause });
}

function brokenStream(): DialogueError {
  const message = 'the language model provider stopped before the end of its reply';
  return new DialogueError('LLM_STREAM_BROKEN', message, { retryable: true });
}
