import type { Redis } from 'ioredis';
import { requestContext } from '../../common/context/request-context.js';
import { connectionFailure } from '../../common/errors/connection-failure.js';
import { withTimeout } from '../../common/with-timeout.js';
import { BackgroundLogger } from '../logging/background.logger.js';
import { openRedis } from '../redis/open-redis.js';
import type { OutboundResponse } from './outbound-outcome.js';
import type { ResponseStore } from './response-store.js';

/** The longest wait for Redis. A cache is not worth a slow request. */
const WAIT_MS = 20;
/** The time for which Redis is left alone after it failed. */
const PAUSE_MS = 1000;
const WARN_INTERVAL_MS = 10_000;
/** The largest body that is kept. */
const MAX_BODY_BYTES = 1_048_576;
const PREFIX = 'gatehouse:http:';

/** Keeps responses in Redis, shared by all instances. While Redis is unreachable or slow, nothing is found. */
export class RedisResponseStore implements ResponseStore {
  private readonly logger = new BackgroundLogger(RedisResponseStore.name);
  private redis: Redis | undefined;
  private loading: Promise<void> | undefined;
  private closed = false;
  private pausedUntil = 0;
  private warnedAt = -Infinity;

  constructor(private readonly url: string) {}

  async find(key: string): Promise<OutboundResponse | null> {
    const redis = this.usable();
    if (!redis) return null;
    const asked = redis.get(PREFIX + key);
    try {
      const text = await withTimeout(asked, WAIT_MS, () => new RedisLateError());
      return text === null ? null : decode(text);
    } catch (error) {
      asked.catch(() => undefined);
      this.pause(error);
      return null;
    }
  }

  keep(key: string, response: OutboundResponse, seconds: number): void {
    if (response.body.length > MAX_BODY_BYTES) return;
    this.usable()
      ?.set(PREFIX + key, encode(response), 'EX', seconds)
      .catch((error: unknown) => this.pause(error));
  }

  close(): void {
    this.closed = true;
    this.redis?.disconnect();
  }

  /**
   * Returns the connection if it can be asked now. Connects with the first request, because most services call nobody;
   * that request does not wait for it.
   */
  private usable(): Redis | null {
    // The connection outlives the request that opened it.
    this.loading ??= requestContext.outside(() => this.connect());
    return this.redis?.status === 'ready' && performance.now() >= this.pausedUntil ? this.redis : null;
  }

  private async connect(): Promise<void> {
    const redis = await openRedis(this.url);
    if (this.closed) return;
    this.redis = redis.on('error', (error) => this.warn(error));
    await redis.connect().catch((error: unknown) => this.warn(error));
  }

  private pause(error: unknown): void {
    this.pausedUntil = performance.now() + PAUSE_MS;
    this.warn(error);
  }

  private warn(error: unknown): void {
    if (performance.now() - this.warnedAt < WARN_INTERVAL_MS) return;
    this.warnedAt = performance.now();
    const reason = error instanceof RedisLateError ? error.message : connectionFailure(error);
    this.logger.warn(`Redis keeps no responses of other systems: ${reason}`);
  }
}

class RedisLateError extends Error {
  override readonly name = 'RedisLateError';

  constructor() {
    super(`it did not answer within ${WAIT_MS} ms`);
  }
}

const stored = ({ status, headers, body }: OutboundResponse) => ({
  status,
  headers,
  body: body.toString('base64'),
});
const encode = (response: OutboundResponse): string => JSON.stringify(stored(response));

/** Returns null for text that this version of the service did not write. */
function decode(text: string): OutboundResponse | null {
  try {
    const { status, headers, body } = JSON.parse(text) as ReturnType<typeof stored>;
    return { ok: true, status, headers, body: Buffer.from(body, 'base64'), durationMs: 0 };
  } catch {
    return null;
  }
}
