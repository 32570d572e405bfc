import { type ErrorCode, GatehouseError } from '../errors.js';
import { backoff, pause } from '../pause.js';

/** The codes of failures that may pass. After any other, another attempt is pointless. */
const TRANSIENT: ReadonlySet<ErrorCode> = new Set([
  'UNREACHABLE',
  'OVERLOADED',
  'DB_ERROR',
  'INTERNAL_ERROR',
  'TIMEOUT',
  'RATE_LIMITED',
]);
const FIRST_PAUSE_MS = 250;
const MAX_PAUSE_MS = 30_000;
/** The longest `Retry-After` in seconds that is waited for. */
const MAX_RETRY_AFTER = 60;

export interface StreamOptions {
  /** Ends the stream when it is aborted: the loop over it throws the reason. */
  readonly signal?: AbortSignal;
  /** The maximum number of attempts in a row that brought nothing. By default 8, and 100 for streams without an end. */
  readonly maxAttempts?: number;
}

/**
 * Yields what a connection yields, and opens another one when it is lost, until one of them returns. `open` continues
 * after what has been yielded. The pauses grow while attempts bring nothing.
 */
export async function* resuming<T>(
  open: () => AsyncIterable<T>,
  { signal, maxAttempts = 8 }: StreamOptions,
): AsyncGenerator<T, void, undefined> {
  for (let fruitless = 0; ; fruitless++) {
    const openedAt = performance.now();
    try {
      for await (const value of open()) {
        fruitless = 0;
        yield value;
      }
      return;
    } catch (error) {
      signal?.throwIfAborted();
      // A quiet stream worked as long as it was open.
      if (performance.now() - openedAt > MAX_PAUSE_MS) fruitless = 0;
      if (!isTransient(error) || fruitless + 1 >= maxAttempts) throw error;
      const askedMs = (error.retryAfter ?? 0) * 1000;
      await pause(Math.max(askedMs, backoff(fruitless, FIRST_PAUSE_MS, MAX_PAUSE_MS)), signal);
    }
  }
}

function isTransient(error: unknown): error is GatehouseError {
  if (!GatehouseError.is(error)) return false;
  // A stream ends with its access token. The next one has a new token, or is refused with a status.
  if (error.code === 'UNAUTHORIZED') return error.status === null;
  return TRANSIENT.has(error.code) && (error.retryAfter ?? 0) <= MAX_RETRY_AFTER;
}

/** Returns the error of a connection that ended too early. */
export const endedEarly = (): GatehouseError =>
  new GatehouseError({ code: 'UNREACHABLE', message: 'the connection ended before the stream' });
