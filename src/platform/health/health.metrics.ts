import { Injectable } from '@nestjs/common';
import { InjectMetric } from '@willsoto/nestjs-prometheus';
import { Gauge } from 'prom-client';
import { NotificationsService } from '../database/listen/notifications.service.js';
import { DATABASE_UP, LISTENER_DEAF } from '../metrics/metric-names.js';
import { MetricsRegistry } from '../metrics/metrics.registry.js';
import { DatabaseHealth } from './database.health.js';

/** Shows in each scrape whether the database answers and whether notifications arrive. */
@Injectable()
export class HealthMetrics {
  constructor(
    private readonly database: DatabaseHealth,
    private readonly notifications: NotificationsService,
    registry: MetricsRegistry,
    @InjectMetric(DATABASE_UP) private readonly up: Gauge,
    @InjectMetric(LISTENER_DEAF) private readonly deaf: Gauge,
  ) {
    registry.beforeRead(() => this.show());
  }

  private async show(): Promise<void> {
    const { status } = await this.database.probe();
    this.up.set(status === 'up' ? 1 : 0);
    this.deaf.set(this.notifications.lease.isValid ? 0 : 1);
  }
}
