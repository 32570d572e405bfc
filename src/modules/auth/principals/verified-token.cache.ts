import { hash } from 'node:crypto';
import { Injectable } from '@nestjs/common';
import { LRUCache } from 'lru-cache';

const MAX_TOKENS = 50_000;

/** The user and session that a verified token names. */
export interface VerifiedToken {
  readonly userId: string;
  readonly sessionId: string;
}

/** A verified token with its expiry in milliseconds since 1970. */
export interface RememberedToken extends VerifiedToken {
  readonly expiresAtMs: number;
}

/**
 * Remembers tokens with a verified signature until they expire, keyed by their hash. A second check would
 * return the same result. The caller's rights are read on every request.
 */
@Injectable()
export class VerifiedTokenCache {
  private readonly tokens = new LRUCache<string, RememberedToken>({
    max: MAX_TOKENS,
  });

  find(token: string): RememberedToken | null {
    const found = this.tokens.get(digest(token));
    return found && found.expiresAtMs > Date.now() ? found : null;
  }

  /** Remembers the token until `exp`, in seconds since 1970. */
  remember(token: string, { userId, sessionId }: VerifiedToken, exp: number): void {
    this.tokens.set(digest(token), { userId, sessionId, expiresAtMs: exp * 1000 });
  }
}

const digest = (token: string): string => hash('sha256', token, 'base64');
