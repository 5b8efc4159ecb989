import { type Static, Type } from 'typebox';
import type { StoredMessage } from '../../storage/chat-repository.ts';
import { oneOf, Time, toTime } from '../shapes.ts';

export const ChatMessage = Type.Object(
  {
    id: Type.String(),
    role: oneOf(['user', 'assistant']),
    content: Type.String(),
    created_at: Time,
  },
  { title: 'ChatMessage' },
);

export function toChatMessage(message: StoredMessage): Static<typeof ChatMessage> {
  const { id, role, text, createdAtMs } = message;
  return {
    id,
    role: role === 'user' ? 'user' : 'assistant',
    content: text,
    created_at: toTime(createdAtMs),
  };
}
