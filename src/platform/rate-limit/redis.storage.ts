import type { ThrottlerStorage } from '@nestjs/throttler';
import type { Redis } from 'ioredis';
import type { Counter } from 'prom-client';
import { LocalRateLimitStorage, rateLimitResult, type RateLimitResult } from './local.storage.js';
import { requestContext } from '../../common/context/request-context.js';
import { connectionFailure } from '../../common/errors/connection-failure.js';
import { withTimeout } from '../../common/with-timeout.js';
import { BackgroundLogger } from '../logging/background.logger.js';
import { openRedis } from '../redis/open-redis.js';

/**
 * The longest wait for Redis. A limit is not worth a slow request, so beyond this the local limit decides.
 */
const WAIT_MS = 20;
/** The number of late answers in a row after which no request waits any more; a single one is chance. */
const MAX_LATE_IN_A_ROW = 3;
const PROBE_EVERY_MS = 200;
/** The number of probes in a row that Redis must answer in time before requests ask it again. */
const PROBES_IN_TIME = 2;
/** A connection on which a probe stays unanswered for this long is dead and is replaced. */
const DEAD_AFTER_MS = 2000;
const WARN_INTERVAL_MS = 10_000;
const PREFIX = 'gatehouse:rate:';

/** Takes a place in one atomic step, so that instances sharing Redis are exact to the request. */
const INCREMENT_SCRIPT = `
  local count = tonumber(redis.call('GET', KEYS[1]) or '0')
  if count >= tonumber(ARGV[1]) then return { count, redis.call('PTTL', KEYS[1]), 1 } end
  count = redis.call('INCR', KEYS[1])
  if count == 1 then redis.call('PEXPIRE', KEYS[1], ARGV[2]) end
  return { count, redis.call('PTTL', KEYS[1]), 0 }`;

/**
 * Keeps buckets in Redis, shared by all instances. While Redis is unreachable or too slow, each instance
 * counts alone, from the last count it received. No request then waits for Redis: probes find out when it
 * answers in time again.
 */
export class RedisRateLimitStorage implements ThrottlerStorage {
  private readonly logger = new BackgroundLogger(RedisRateLimitStorage.name);
  private readonly local = new LocalRateLimitStorage();
  private late = 0;
  private away = false;
  private closed = false;
  private timer: NodeJS.Timeout | undefined;
  private complainedAt: number | null = null;

  /** @param judgedAlone counts the requests for which Redis did not decide */
  static async at(url: string, judgedAlone: Counter): Promise<RedisRateLimitStorage> {
    return new RedisRateLimitStorage(await openRedis(url), judgedAlone);
  }

  private constructor(
    private readonly redis: Redis,
    private readonly judgedAlone: Counter,
  ) {
    redis.on('error', (error) => this.warn(error));
  }

  /**
   * Connects before the first request, so that it is counted in Redis. Redis may be down; the client retries.
   */
  async connect(): Promise<void> {
    await this.redis.connect().catch((error: unknown) => this.fallBack(error));
  }

  async increment(key: string, windowMs: number, limit: number): Promise<RateLimitResult> {
    if (this.away) return this.judgeAlone(key, windowMs, limit);
    const asked = this.incrementInRedis(key, windowMs, limit);
    try {
      const answer = await answerWithin(WAIT_MS, asked);
      this.late = 0;
      return answer;
    } catch (error) {
      // A late answer is still remembered. A missing one is reported below.
      asked.catch(() => undefined);
      this.late++;
      if (!(error instanceof RedisTimeoutError) || this.late >= MAX_LATE_IN_A_ROW) this.fallBack(error);
      return this.judgeAlone(key, windowMs, limit);
    }
  }

  private judgeAlone(key: string, windowMs: number, limit: number): Promise<RateLimitResult> {
    this.judgedAlone.inc();
    return this.local.increment(key, windowMs, limit);
  }

  private async incrementInRedis(key: string, windowMs: number, limit: number): Promise<RateLimitResult> {
    const answer: unknown = await this.redis.eval(INCREMENT_SCRIPT, 1, PREFIX + key, limit, windowMs);
    const [count, msLeft, refused] = answer as [number, number, number];
    this.local.adopt(key, count, msLeft);
    return rateLimitResult(count, msLeft, refused === 1);
  }

  close(): void {
    this.closed = true;
    clearTimeout(this.timer);
    this.redis.disconnect();
  }

  private fallBack(reason: unknown): void {
    this.warn(reason);
    if (this.away || this.closed) return;
    this.away = true;
    this.probeLater(0);
  }

  private probeLater(inTime: number): void {
    if (this.closed) return;
    // Otherwise the probes, and connections that they open, would belong to the request that noticed the
    // failure.
    requestContext.outside(() => {
      this.timer = setTimeout(() => void this.probe(inTime), PROBE_EVERY_MS).unref();
    });
  }

  /**
   * Sends a probe.
   * @param withinRequestTime the number of probes answered in time before this one, in a row
   */
  private async probe(inTime: number): Promise<void> {
    const answer = this.redis.ping();
    try {
      await answerWithin(WAIT_MS, answer);
    } catch (error) {
      this.warn(error);
      await answerWithin(DEAD_AFTER_MS, answer).catch((failure: unknown) => {
        if (failure instanceof RedisTimeoutError && !this.closed) this.redis.disconnect(true);
      });
      return this.probeLater(0);
    }
    if (inTime + 1 < PROBES_IN_TIME) return this.probeLater(inTime + 1);
    this.resume();
  }

  private resume(): void {
    this.away = false;
    this.late = 0;
    if (this.complainedAt !== null)
      this.logger.log('Redis answers again: the instances share their rate limits');
    this.complainedAt = null;
  }

  private warn(error: unknown): void {
    if (this.complainedAt !== null && performance.now() - this.complainedAt < WARN_INTERVAL_MS) return;
    this.complainedAt = performance.now();
    const reason = error instanceof RedisTimeoutError ? error.message : connectionFailure(error);
    this.logger.warn(`Redis cannot be reached, so each instance applies its own rate limits: ${reason}`);
  }
}

class RedisTimeoutError extends Error {
  override readonly name = 'RedisTimeoutError';
}

function answerWithin<T>(timeoutMs: number, answer: Promise<T>): Promise<T> {
  return withTimeout(
    answer,
    timeoutMs,
    () => new RedisTimeoutError(`it did not answer within ${timeoutMs} ms`),
  );
}
