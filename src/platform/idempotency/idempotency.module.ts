import { Global, Module } from '@nestjs/common';
import { IdempotencyCleanUp } from './clean-up.js';
import { IdempotencyRecords } from './idempotency-records.js';
import { IdempotencyRepository } from './idempotency.repository.js';

@Global()
@Module({
  providers: [IdempotencyRecords, IdempotencyRepository, IdempotencyCleanUp],
  exports: [IdempotencyRecords],
})
export class IdempotencyModule {}
