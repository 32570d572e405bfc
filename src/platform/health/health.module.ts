import { Module } from '@nestjs/common';
import { DatabaseHealth } from './database.health.js';
import { HealthController } from './health.controller.js';
import { HealthMetrics } from './health.metrics.js';
import { ReadinessService } from './readiness.service.js';

@Module({
  controllers: [HealthController],
  providers: [DatabaseHealth, HealthMetrics, ReadinessService],
})
export class HealthModule {}
