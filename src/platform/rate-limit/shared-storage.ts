import { Logger } from '@nestjs/common';
import type { ThrottlerStorage } from '@nestjs/throttler';
import { Redis } from 'ioredis';
import { LocalStorage, taken, type Taken } from './local-storage.js';

/** A limit is not worth a slow request: past this the local one decides. */
const COMMAND_TIMEOUT_MS = 250;
const COMPLAIN_EVERY_MS = 10_000;
const PREFIX = 'gatehouse:rate:';

/** One step for Redis, so that instances that share it are exact to the request. */
const TAKE = `
  local count = tonumber(redis.call('GET', KEYS[1]) or '0')
  if count >= tonumber(ARGV[1]) then return { count, redis.call('PTTL', KEYS[1]), 1 } end
  count = redis.call('INCR', KEYS[1])
  if count == 1 then redis.call('PEXPIRE', KEYS[1], ARGV[2]) end
  return { count, redis.call('PTTL', KEYS[1]), 0 }`;

/** Buckets in Redis, shared by all instances; while Redis cannot be asked each instance holds its own. */
export class SharedStorage implements ThrottlerStorage {
  private readonly logger = new Logger(SharedStorage.name);
  private readonly redis: Redis;
  private readonly fallback = new LocalStorage();
  private complainedAt = Number.NEGATIVE_INFINITY;

  constructor(url: string) {
    this.redis = new Redis(url, {
      enableOfflineQueue: false,
      maxRetriesPerRequest: 0,
      commandTimeout: COMMAND_TIMEOUT_MS,
      connectTimeout: 2000,
      retryStrategy: (attempt) => Math.min(attempt * 100, 2000),
    });
    this.redis.on('error', (error) => this.complain(error));
  }

  async increment(key: string, windowMs: number, limit: number): Promise<Taken> {
    try {
      const answer: unknown = await this.redis.eval(TAKE, 1, PREFIX + key, limit, windowMs);
      const [count, msLeft, refused] = answer as [number, number, number];
      return taken(count, msLeft, refused === 1);
    } catch (error) {
      this.complain(error);
      return this.fallback.increment(key, windowMs, limit);
    }
  }

  close(): void {
    this.redis.disconnect();
  }

  private complain(error: unknown): void {
    if (performance.now() - this.complainedAt < COMPLAIN_EVERY_MS) return;
    this.complainedAt = performance.now();
    this.logger.warn(`Redis cannot be asked, each instance limits on its own: ${String(error)}`);
  }
}
