import { Injectable } from '@nestjs/common';
import { BuildFacts } from '../database/build-facts.js';
import { Lifecycle } from '../lifecycle/lifecycle.js';
import { DatabaseHealth } from './database-health.js';
import { type HealthState, upIf } from './health-report.js';

/** Tells whether this instance can serve. The health routes and the health listener both ask it. */
@Injectable()
export class Readiness {
  constructor(
    private readonly lifecycle: Lifecycle,
    private readonly database: DatabaseHealth,
    private readonly build: BuildFacts,
  ) {}

  async state(): Promise<HealthState> {
    return { ...this.stateWithoutDatabase(), database: await this.database.look() };
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
