import { Module } from '@nestjs/common';
import type { Config } from '../../config/config.js';
import { ConfigModule } from '../../config/config.module.js';
import { OutboundHttpService, RESPONSE_STORE } from './outbound-http.service.js';
import { outboundMetrics } from './outbound.metrics.js';
import { OutboundTargetsService } from './outbound-targets.service.js';
import { RedisResponseStore } from './redis-response.store.js';
import { LocalResponseStore } from './response-store.js';

/** The client for HTTP requests to other systems. */
@Module({
  providers: [
    ...outboundMetrics,
    OutboundHttpService,
    OutboundTargetsService,
    {
      provide: RESPONSE_STORE,
      inject: [ConfigModule.token],
      useFactory: ({ REDIS_URL: url }: Config) =>
        url === undefined ? new LocalResponseStore() : new RedisResponseStore(url),
    },
  ],
  exports: [OutboundHttpService, OutboundTargetsService],
})
export class OutboundHttpModule {}
