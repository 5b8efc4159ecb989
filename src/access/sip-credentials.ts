import { asWorkspaceId, type WorkspaceId } from '../model/ids.ts';
import type { ApiKey, ApiKeyRepository } from '../storage/api-key-repository.ts';
import { readBody, type SignedBody, type SignedTokens } from './signed-tokens.ts';

/** What digest challenges name, and what secrets are made with. */
export const SIP_REALM = 'trunkline';

/** A name and its password, for a time. */
export interface SipCredentials {
  readonly username: string;
  readonly password: string;
  readonly expiresAtMs: number;
}

/** Who signs in by such a name. */
export interface SipIdentity {
  readonly password: string;
  readonly body: SignedBody;
  /** An owner may be called by this name and calls any of his agents; null: one call of one agent. */
  readonly owner: { readonly workspaceId: WorkspaceId; readonly user: string } | null;
}

export interface SipCredentialBook {
  /** For an owner's browser, called by `user`. */
  mint(key: ApiKey, user: string, lifetimeSeconds: number): Promise<SipCredentials>;
  /** The same right as the token's; null for a token that is not valid. */
  ofToken(token: string): Promise<SipCredentials | null>;
  /** Null for a name that was not given out, has expired, or whose key was revoked. */
  find(username: string): Promise<SipIdentity | null>;
}

/** Between workspace and user; neither may hold it, and a SIP address may. */
const BETWEEN = '~';
const USERNAME_LENGTH_MAX = 300;

/**
 * Passwords for SIP are kept nowhere: a name is the body of a signed token, its password the
 * signature. So a token of a public web call is a name and a password already: what stands before
 * its last dot, and what stands behind it.
 */
export function createSipCredentials(
  signed: SignedTokens,
  apiKeys: Pick<ApiKeyRepository, 'findActive'>,
  nowMs: () => number,
): SipCredentialBook {
  return {
    async mint({ id: keyId, workspaceId }, user, lifetimeSeconds) {
      const expiresAtMs = nowMs() + lifetimeSeconds * 1000;
      const subject = `${workspaceId}${BETWEEN}${user}`;
      const fields = { prefix: 'wsc', keyId, expiresAtMs, subject } as const;
      const [username, password] = await signed.sign(fields);
      return { username, password, expiresAtMs };
    },

    async ofToken(token) {
      const body = await signed.read(token);
      if (body === null || body.prefix === 'wsc') return null;
      const at = token.lastIndexOf('.');
      const { expiresAtMs } = body;
      return { username: token.slice(0, at), password: token.slice(at + 1), expiresAtMs };
    },

    async find(username) {
      if (username.length > USERNAME_LENGTH_MAX) return null;
      const [body, password] = [readBody(username), await signed.signatureOf(username)];
      if (body === null || password === null) return null;
      if (body.prefix !== 'wsc') return { password, body, owner: null };
      const [workspace = '', user = ''] = body.subject.split(BETWEEN);
      const workspaceId = asWorkspaceId(workspace);
      const key = await apiKeys.findActive(workspaceId, body.keyId);
      return key === null ? null : { password, body, owner: { workspaceId, user } };
    },
  };
}
