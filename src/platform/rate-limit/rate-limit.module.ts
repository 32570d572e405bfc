import { Global, Inject, Module, type OnApplicationShutdown, type OnModuleInit } from '@nestjs/common';
import { ThrottlerModule, ThrottlerStorage } from '@nestjs/throttler';
import { requestContext } from '../../common/context/request-context.js';
import type { Config } from '../../config/config.js';
import { ConfigModule } from '../../config/config.module.js';
import { LocalStorage } from './local-storage.js';
import { SharedStorage } from './shared-storage.js';
import { limitOf, tierFor, WINDOW_MS } from './tiers.js';

/** Limits in memory, or shared by all instances through `REDIS_URL`. */
@Global()
@Module({
  imports: [
    ThrottlerModule.forRootAsync({
      inject: [ConfigModule.token],
      useFactory: (config: Config) => ({
        throttlers: [
          {
            ttl: WINDOW_MS,
            limit: (context) =>
              limitOf(tierFor(context, requestContext.current()?.caller.principal ?? null), config),
          },
        ],
        storage: config.REDIS_URL === undefined ? new LocalStorage() : new SharedStorage(config.REDIS_URL),
      }),
    }),
  ],
  exports: [ThrottlerModule],
})
export class RateLimitModule implements OnModuleInit, OnApplicationShutdown {
  constructor(@Inject(ThrottlerStorage) private readonly storage: ThrottlerStorage) {}

  async onModuleInit(): Promise<void> {
    if (this.storage instanceof SharedStorage) await this.storage.connect();
  }

  onApplicationShutdown(): void {
    if (this.storage instanceof SharedStorage) this.storage.close();
  }
}
