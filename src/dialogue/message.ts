import type { ToolCall } from '../model/tool-call.ts';

export type { ToolCall };

/** One entry of a conversation's history. */
export interface Message {
  readonly role: 'system' | 'user' | 'assistant' | 'tool';
  readonly content: string;
  /** Of an assistant message; each is answered by a tool message with its id. */
  readonly toolCalls?: readonly ToolCall[];
  /** Of a tool message: the call that it answers. */
  readonly toolCallId?: string;
}

const KEYPAD = /^\[keypad: ([0-9*#A-D]{1,64})\]$/;

/** The user message that stands for keypad digits: `[keypad: 4271#]`. */
export function keypadMessage(digits: string): Message {
  return { role: 'user', content: `[keypad: ${digits}]` };
}

/** The digits of a keypad message's content, or null when it is talk. */
export function keypadDigits(content: string): string | null {
  return KEYPAD.exec(content)?.[1] ?? null;
}
