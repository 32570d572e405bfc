import { Global, Module } from '@nestjs/common';
import { IdempotencyCleanUp } from './clean-up.js';
import { IdempotencyClaims } from './idempotency-claims.js';
import { IdempotencyRecords } from './idempotency-records.js';
import { IdempotencyRepository } from './idempotency.repository.js';

@Global()
@Module({
  providers: [IdempotencyRecords, IdempotencyClaims, IdempotencyRepository, IdempotencyCleanUp],
  exports: [IdempotencyRecords, IdempotencyClaims],
})
export class IdempotencyModule {}
