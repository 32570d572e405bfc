import { Injectable } from '@nestjs/common';
import { BuildInfoService } from '../database/startup/build-info.service.js';
import { LifecycleService } from '../lifecycle/lifecycle.service.js';
import { DatabaseHealth } from './database.health.js';
import { type HealthState, upIf } from './health-report.js';

/** Tells whether this instance can serve. The health routes and the health listener both ask it. */
@Injectable()
export class ReadinessService {
  constructor(
    private readonly lifecycle: LifecycleService,
    private readonly database: DatabaseHealth,
    private readonly build: BuildInfoService,
  ) {}

  async state(): Promise<HealthState> {
    return { ...this.stateWithoutDatabase(), database: await this.database.probe() };
  }

  /** Returns what is known at once, for the checks that do not use the database. */
  stateWithoutDatabase(): HealthState {
    const { started, draining } = this.lifecycle;
    return {
      startup: upIf(started),
      serving: upIf(!draining),
      database: upIf(true),
      build: this.build.running,
    };
  }
}
