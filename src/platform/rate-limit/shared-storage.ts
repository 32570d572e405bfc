import { Logger } from '@nestjs/common';
import type { ThrottlerStorage } from '@nestjs/throttler';
import { Redis } from 'ioredis';
import { LocalStorage, taken, type Taken } from './local-storage.js';

/** A limit is not worth a slow request: past this the local one decides. */
const COMMAND_TIMEOUT_MS = 250;
const CONNECT_TIMEOUT_MS = 2000;
/** A Redis that failed is left alone for so long: one that hangs would delay every request. */
const REST_MS = 1000;
const COMPLAIN_EVERY_MS = 10_000;
const PREFIX = 'gatehouse:rate:';

/** One step for Redis, so that instances that share it are exact to the request. */
const TAKE = `
  local count = tonumber(redis.call('GET', KEYS[1]) or '0')
  if count >= tonumber(ARGV[1]) then return { count, redis.call('PTTL', KEYS[1]), 1 } end
  count = redis.call('INCR', KEYS[1])
  if count == 1 then redis.call('PEXPIRE', KEYS[1], ARGV[2]) end
  return { count, redis.call('PTTL', KEYS[1]), 0 }`;

/**
 * Buckets in Redis, shared by all instances. While Redis cannot be asked each instance goes on counting
 * by itself, from what it last heard.
 */
export class SharedStorage implements ThrottlerStorage {
  private readonly logger = new Logger(SharedStorage.name);
  private readonly redis: Redis;
  private readonly local = new LocalStorage();
  private restsUntil = Number.NEGATIVE_INFINITY;
  private complainedAt: number | null = null;

  constructor(url: string) {
    this.redis = new Redis(url, {
      lazyConnect: true,
      enableOfflineQueue: false,
      maxRetriesPerRequest: 0,
      connectTimeout: CONNECT_TIMEOUT_MS,
      retryStrategy: (attempt) => Math.min(attempt * 100, 2000),
    });
    this.redis.on('error', (error) => this.complain(error));
    this.redis.on('ready', () => this.resume());
  }

  /** Before the first request, so that it is counted where all are. Redis may be down: it is tried again. */
  async connect(): Promise<void> {
    await this.redis.connect().catch((error: unknown) => this.complain(error));
  }

  async increment(key: string, windowMs: number, limit: number): Promise<Taken> {
    if (performance.now() < this.restsUntil) return this.local.increment(key, windowMs, limit);
    try {
      const answer: unknown = await heard(this.redis.eval(TAKE, 1, PREFIX + key, limit, windowMs));
      const [count, msLeft, refused] = answer as [number, number, number];
      this.local.remember(key, count, msLeft);
      if (this.complainedAt !== null) this.resume();
      return taken(count, msLeft, refused === 1);
    } catch (error) {
      this.restsUntil = performance.now() + REST_MS;
      this.complain(error);
      return this.local.increment(key, windowMs, limit);
    }
  }

  close(): void {
    this.redis.disconnect();
  }

  private resume(): void {
    this.restsUntil = Number.NEGATIVE_INFINITY;
    if (this.complainedAt !== null) this.logger.log('Redis answers: the instances share their limits');
    this.complainedAt = null;
  }

  private complain(error: unknown): void {
    if (this.complainedAt !== null && performance.now() - this.complainedAt < COMPLAIN_EVERY_MS) return;
    this.complainedAt = performance.now();
    this.logger.warn(`Redis cannot be asked, each instance limits on its own: ${String(error)}`);
  }
}

/** Gives up on Redis, but not on an answer that came in time while this process was too busy to read it. */
function heard<T>(answer: Promise<T>): Promise<T> {
  return new Promise((resolve, reject) => {
    const giveUp = () => reject(new Error(`no answer within ${COMMAND_TIMEOUT_MS} ms`));
    // What has arrived is read after timers and before this.
    const timer = setTimeout(() => setImmediate(giveUp), COMMAND_TIMEOUT_MS);
    answer.then(resolve, reject).finally(() => clearTimeout(timer));
  });
}
