import type { TokenResponse } from './generated/types.gen.js';
import { pause } from './pause.js';

/** The tokens of a session. */
export interface Tokens {
  readonly accessToken: string;
  readonly refreshToken: string;
  /** The time in ms since 1970 from which the client renews them: shortly before the access token expires. */
  readonly renewAt: number;
}

/** Keeps the tokens between requests. All clients that share a store share one session. */
export interface TokenStore {
  load(): Tokens | null | Promise<Tokens | null>;
  /** Replaces the tokens; null removes them. */
  save(tokens: Tokens | null): void | Promise<void>;
  /**
   * Runs the work while no other client that shares the store runs such work. Without this method, clients may renew
   * at the same time, which the service allows for `REFRESH_GRACE_SECONDS`.
   */
  exclusively?<T>(work: () => Promise<T>): Promise<T>;
}

/** The time in ms before its end at which an access token is renewed, so that it lasts for the next request. */
const RENEW_BEFORE_MS = 30_000;

/** Returns the tokens of a response. Those of a short lifetime are renewed after half of it. */
export function tokensOf({ access_token, refresh_token, expires_in }: TokenResponse): Tokens {
  const lifetimeMs = expires_in * 1000;
  const renewAt = Date.now() + Math.max(lifetimeMs - RENEW_BEFORE_MS, lifetimeMs / 2);
  return { accessToken: access_token, refreshToken: refresh_token, renewAt };
}

/** Returns the id of the user to whom an access token belongs; null if it is no token of the service. */
export function userIdOf(accessToken: string): string | null {
  try {
    const [, payload = ''] = accessToken.split('.');
    const { sub } = JSON.parse(atob(payload.replaceAll('-', '+').replaceAll('_', '/'))) as { sub?: unknown };
    return typeof sub === 'string' ? sub : null;
  } catch {
    return null;
  }
}

/** Returns a store that keeps the tokens in memory. */
export function memoryStore(tokens: Tokens | null = null): TokenStore {
  let kept = tokens;
  return {
    load: () => kept,
    save: (next) => {
      kept = next;
    },
  };
}

export interface WebStorageOptions {
  /** The name of the entry, which is also the name of the lock. */
  readonly key?: string;
  /** The storage; by default `localStorage`, which all tabs of an origin share. */
  readonly storage?: Pick<Storage, 'getItem' | 'setItem' | 'removeItem'>;
}

/**
 * The time in ms to wait for another tab. A tab that the browser has frozen would hold the lock for ever. After this
 * time, the tab renews without the lock.
 */
const LOCK_WAIT_MS = 15_000;
/** The time in ms to wait for the tokens that another tab has renewed. After it, that tab has failed to renew them. */
const CHANGE_WAIT_MS = 1_000;
const CHANGE_POLL_MS = 10;

/**
 * Returns a store in the browser's storage. Its tabs share one session, and only one of them renews it where the
 * browser has locks. Every script of the origin can read the storage.
 */
export function webStorageStore({
  key = 'gatehouse.tokens',
  storage = localStorage,
}: WebStorageOptions = {}): TokenStore {
  return {
    load: () => parseTokens(storage.getItem(key)),
    save: (tokens) => {
      if (tokens) storage.setItem(key, JSON.stringify(tokens));
      else storage.removeItem(key);
    },
    exclusively: async (work) => {
      // Absent on pages without TLS and in older versions of Node.js. There the grace period of the service has to do.
      const locks = (globalThis as { navigator?: Partial<Pick<Navigator, 'locks'>> }).navigator?.locks;
      if (!locks) return work();
      const before = storage.getItem(key);
      let hasBegun = false;
      const begin = () => {
        hasBegun = true;
        return work();
      };
      const beginAfterOther = async () => {
        await waitForChange(() => storage.getItem(key) !== before);
        return begin();
      };
      try {
        const free = await locks.request(
          key,
          { ifAvailable: true },
          async (lock) => lock && { done: await begin() },
        );
        if (free) return free.done;
        return await locks.request(key, { signal: AbortSignal.timeout(LOCK_WAIT_MS) }, beginAfterOther);
      } catch (error) {
        if (hasBegun) throw error;
        return work();
      }
    },
  };
}

/** Waits until another tab's change is seen. Browsers pass the lock on before they show what its holder has stored. */
async function waitForChange(hasChanged: () => boolean): Promise<void> {
  const deadline = performance.now() + CHANGE_WAIT_MS;
  while (!hasChanged() && performance.now() < deadline) await pause(CHANGE_POLL_MS);
}

function parseTokens(text: string | null): Tokens | null {
  try {
    const tokens = JSON.parse(text ?? 'null') as Partial<Tokens> | null;
    const { accessToken, refreshToken, renewAt } = tokens ?? {};
    if (typeof accessToken !== 'string' || typeof refreshToken !== 'string' || typeof renewAt !== 'number')
      return null;
    return { accessToken, refreshToken, renewAt };
  } catch {
    return null;
  }
}
