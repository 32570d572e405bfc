import { Global, Inject, Module, type OnApplicationShutdown, type OnModuleInit } from '@nestjs/common';
import { getToken } from '@willsoto/nestjs-prometheus';
import type { Counter } from 'prom-client';
import { ThrottlerModule, ThrottlerStorage } from '@nestjs/throttler';
import type { Config } from '../../config/config.js';
import { ConfigModule } from '../../config/config.module.js';
import { LOCAL_LIMITS } from '../metrics/metric-names.js';
import { LocalRateLimitStorage } from './local.storage.js';
import { RedisRateLimitStorage } from './redis.storage.js';
import { RateLimiter } from './rate-limiter.service.js';

/** Limits requests in memory, or across all instances through `REDIS_URL`. */
@Global()
@Module({
  imports: [
    ThrottlerModule.forRootAsync({
      inject: [ConfigModule.token, getToken(LOCAL_LIMITS)],
      useFactory: async (config: Config, judgedAlone: Counter) => ({
        throttlers: [],
        storage:
          config.REDIS_URL === undefined
            ? new LocalRateLimitStorage()
            : await RedisRateLimitStorage.at(config.REDIS_URL, judgedAlone),
      }),
    }),
  ],
  providers: [RateLimiter],
  exports: [ThrottlerModule, RateLimiter],
})
export class RateLimitModule implements OnModuleInit, OnApplicationShutdown {
  constructor(@Inject(ThrottlerStorage) private readonly storage: ThrottlerStorage) {}

  async onModuleInit(): Promise<void> {
    if (this.storage instanceof RedisRateLimitStorage) await this.storage.connect();
  }

  onApplicationShutdown(): void {
    if (this.storage instanceof RedisRateLimitStorage) this.storage.close();
  }
}
