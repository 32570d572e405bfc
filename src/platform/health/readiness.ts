import { Injectable } from '@nestjs/common';
import { Lifecycle } from '../lifecycle/lifecycle.js';
import { DatabaseHealth } from './database-health.js';
import { type HealthState, upIf } from './health-report.js';

/** Tells whether this instance can serve: the one place that the health routes and the health listener ask. */
@Injectable()
export class Readiness {
  constructor(
    private readonly lifecycle: Lifecycle,
    private readonly database: DatabaseHealth,
  ) {}

  async state(): Promise<HealthState> {
    return {
      startup: upIf(this.lifecycle.started),
      serving: upIf(!this.lifecycle.draining),
      database: await this.database.look(),
    };
  }
}
