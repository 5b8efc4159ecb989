import type { FastifyPluginAsyncTypebox } from '@fastify/type-provider-typebox';
import type { ChatService } from '../chat/chat-service.ts';
import type { PublicLinks } from '../chat/public-links.ts';
import type { Verification } from '../chat/verification.ts';
import type { Storage } from '../storage/storage.ts';
import type { Auth } from './auth.ts';
import { publicChatRoutes } from './routes/public-chat.ts';
import { publicLinkRoutes } from './routes/public-links.ts';

export interface ChatRoutesOptions {
  readonly auth: Auth;
  /** Read at each request: these parts start after the server is described. */
  readonly chat: {
    readonly links: PublicLinks;
    readonly chat: ChatService;
    readonly verification: Verification;
  };
  readonly storage: () => Pick<Storage, 'chats' | 'chatMemories'>;
  readonly publicUrl: () => string;
}

/** Everything of public chat: what owners do, and what visitors do. */
export function chatRoutes(options: ChatRoutesOptions): FastifyPluginAsyncTypebox {
  const { auth, chat, storage, publicUrl } = options;
  const links = () => chat.links;
  return async (app) => {
    await app.register(publicLinkRoutes, {
      auth,
      links,
      publicUrl,
      memories: () => storage().chatMemories,
      chats: () => storage().chats,
    });
    await app.register(publicChatRoutes, {
      links,
      publicUrl,
      chat: () => chat.chat,
      verification: () => chat.verification,
    });
  };
}
