import { Global, Module } from '@nestjs/common';
import { TypeOrmModule } from '@nestjs/typeorm';
import { IdempotencyCleanup } from './idempotency.cleanup.js';
import { IdempotencyClaimsService } from './idempotency-claims.service.js';
import { IdempotencyService } from './idempotency.service.js';
import { IdempotencyRepository } from './idempotency.repository.js';
import { IdempotencyRecord } from './idempotency-record.entity.js';
import { IdempotencyClaim } from './idempotency-claim.entity.js';

@Global()
@Module({
  imports: [TypeOrmModule.forFeature([IdempotencyRecord, IdempotencyClaim])],
  providers: [IdempotencyService, IdempotencyClaimsService, IdempotencyRepository, IdempotencyCleanup],
  exports: [IdempotencyService, IdempotencyClaimsService],
})
export class IdempotencyModule {}
