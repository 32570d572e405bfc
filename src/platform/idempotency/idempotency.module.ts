import { Global, Module } from '@nestjs/common';
import { TypeOrmModule } from '@nestjs/typeorm';
import { IdempotencyCleanUp } from './clean-up.js';
import { IdempotencyClaims } from './idempotency-claims.js';
import { IdempotencyRecords } from './idempotency-records.js';
import { IdempotencyRepository } from './idempotency.repository.js';
import { IdempotencyRecord } from './idempotency-record.entity.js';
import { IdempotencyClaim } from './idempotency-claim.entity.js';

@Global()
@Module({
  imports: [TypeOrmModule.forFeature([IdempotencyRecord, IdempotencyClaim])],
  providers: [IdempotencyRecords, IdempotencyClaims, IdempotencyRepository, IdempotencyCleanUp],
  exports: [IdempotencyRecords, IdempotencyClaims],
})
export class IdempotencyModule {}
