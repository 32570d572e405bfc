import { createHash } from 'node:crypto';
import { Injectable } from '@nestjs/common';
import { LRUCache } from 'lru-cache';

const MAX_TOKENS = 50_000;

/** Whom a token that was verified names. */
export interface Bearer {
  readonly userId: string;
  readonly sessionId: string;
}

/**
 * Tokens whose signature was checked, by their hash, until they expire: checking one again would say
 * the same. What its bearer may do is asked anew every time.
 */
@Injectable()
export class VerifiedTokens {
  private readonly tokens = new LRUCache<string, Bearer & { expiresAtMs: number }>({ max: MAX_TOKENS });

  find(token: string): Bearer | null {
    const found = this.tokens.get(digest(token));
    return found && found.expiresAtMs > Date.now() ? found : null;
  }

  /** `exp` is the token's, in seconds since 1970. */
  remember(token: string, { userId, sessionId }: Bearer, exp: number): void {
    this.tokens.set(digest(token), { userId, sessionId, expiresAtMs: exp * 1000 });
  }
}

const digest = (token: string): string => createHash('sha256').update(token).digest('base64');
