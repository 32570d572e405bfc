import { Global, Inject, Module, type OnApplicationShutdown, type OnModuleInit } from '@nestjs/common';
import { getToken } from '@willsoto/nestjs-prometheus';
import type { Counter } from 'prom-client';
import { ThrottlerModule, ThrottlerStorage } from '@nestjs/throttler';
import { requestContext } from '../../common/context/request-context.js';
import type { Config } from '../../config/config.js';
import { ConfigModule } from '../../config/config.module.js';
import { LOCAL_LIMITS } from '../metrics/metric-names.js';
import { LocalRateLimitStorage } from './local.storage.js';
import { RedisRateLimitStorage } from './redis.storage.js';
import { limitOf, tierFor, WINDOW_MS } from './tier.policy.js';

/** Limits requests in memory, or across all instances through `REDIS_URL`. */
@Global()
@Module({
  imports: [
    ThrottlerModule.forRootAsync({
      inject: [ConfigModule.token, getToken(LOCAL_LIMITS)],
      useFactory: (config: Config, judgedAlone: Counter) => ({
        throttlers: [
          {
            ttl: WINDOW_MS,
            limit: (context) =>
              limitOf(tierFor(context, requestContext.current()?.caller.principal ?? null), config),
          },
        ],
        storage:
          config.REDIS_URL === undefined
            ? new LocalRateLimitStorage()
            : new RedisRateLimitStorage(config.REDIS_URL, judgedAlone),
      }),
    }),
  ],
  exports: [ThrottlerModule],
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
