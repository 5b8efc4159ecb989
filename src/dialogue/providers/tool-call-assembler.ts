import { randomUUID } from 'node:crypto';
import type { ToolCall } from '../message.ts';
import { parseJson } from './provider-error.ts';

/** Bounds of one reply. */
export const TOOL_CALLS_MAX = 16;
export const TOOL_ARGUMENTS_MAX = 65_536;

/** A piece of a tool call as it streams in; only the first piece of each must name it. */
export interface ToolCallDelta {
  readonly index: number | null;
  readonly id: string | null;
  readonly name: string | null;
  readonly argumentsPiece: string;
}

interface Draft {
  readonly index: number;
  id: string | null;
  name: string;
  arguments: string;
}

/**
 * Puts streamed tool calls together, also from servers that leave out the index or give
 * every call of a parallel set the index 0. Throws `RangeError` past its bounds.
 */
export class ToolCallAssembler {
  readonly #drafts: Draft[] = [];

  push(delta: ToolCallDelta): void {
    const draft = this.#draftOf(delta);
    draft.id ??= delta.id;
    // Most servers send the name once and whole, some again with every piece.
    if (delta.name !== null && draft.name === '') draft.name = delta.name;
    draft.arguments += delta.argumentsPiece;
    if (draft.arguments.length > TOOL_ARGUMENTS_MAX) {
      throw new RangeError('the arguments of a tool call are too long');
    }
  }

  /** The finished calls. Arguments that are no JSON stay text, for the tool's check to refuse. */
  take(): ToolCall[] {
    const drafts = this.#drafts.splice(0);
    return drafts
      .filter(({ name }) => name !== '')
      .map(({ id, name, arguments: text }) => ({
        id: id ?? `call_${randomUUID().slice(0, 8)}`,
        name,
        arguments: text.trim() === '' ? {} : (parseJson(text) ?? text),
      }));
  }

  #draftOf(delta: ToolCallDelta): Draft {
    const last = this.#drafts.at(-1);
    const known =
      delta.index === null ? last : this.#drafts.findLast(({ index }) => index === delta.index);
    const isOther = delta.id !== null && known?.id != null && known.id !== delta.id;
    const isNamedAnew = delta.index === null && delta.name !== null && delta.id === null;
    if (known !== undefined && !isOther && !(isNamedAnew && known.name !== '')) return known;
    if (this.#drafts.length >= TOOL_CALLS_MAX) throw new RangeError('too many tool calls');
    const index = delta.index ?? this.#drafts.length;
    const draft: Draft = { index, id: delta.id, name: '', arguments: '' };
    this.#drafts.push(draft);
    return draft;
  }
}
