import type { Redis, RedisOptions } from 'ioredis';

const CONNECT_TIMEOUT_MS = 2000;
const MAX_RECONNECT_PAUSE_MS = 2000;
/** The time by which the pause before each further attempt to reconnect grows. */
const RECONNECT_STEP_MS = 100;

/**
 * Creates a client whose commands fail at once while Redis is away, because no request may wait for it. It connects
 * when `connect` is called, and then reconnects for as long as it is open. The caller must listen to `error`, or the
 * client writes each error to the console. Loads the library, which a service without `REDIS_URL` does not need.
 */
export async function openRedis(
  url: string,
  options: Pick<RedisOptions, 'commandTimeout'> = {},
): Promise<Redis> {
  const { Redis } = await import('ioredis');
  return new Redis(url, {
    ...options,
    lazyConnect: true,
    enableOfflineQueue: false,
    maxRetriesPerRequest: 0,
    connectTimeout: CONNECT_TIMEOUT_MS,
    retryStrategy: (attempt) => Math.min(attempt * RECONNECT_STEP_MS, MAX_RECONNECT_PAUSE_MS),
  });
}
