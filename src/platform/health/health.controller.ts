import { Controller, Get, Res } from '@nestjs/common';
import { ApiTags } from '@nestjs/swagger';
import { HealthCheck } from '@nestjs/terminus';
import type { Response } from 'express';
import { Public } from '../../common/authorization/policy.js';
import { BuildFacts, type RunningBuild } from '../database/build-facts.js';
import { IgnoresQuery } from '../http/route-facts.js';
import { Lifecycle } from '../lifecycle/lifecycle.js';
import { type HealthPath, type HealthReport, healthReport, type HealthState, upIf } from './health-report.js';
import { Readiness } from './readiness.js';

@ApiTags('operations')
@IgnoresQuery()
@Controller('health')
export class HealthController {
  constructor(
    private readonly readiness: Readiness,
    private readonly lifecycle: Lifecycle,
    private readonly build: BuildFacts,
  ) {}

  /** Every check there is, and which build runs on which schema, for people. */
  @Get()
  @Public()
  @HealthCheck()
  async all(@Res({ passthrough: true }) response: Response): Promise<HealthReport & RunningBuild> {
    return { ...(await this.withDatabase('/health', response)), ...this.build.running };
  }

  /** Whether a restart would help: depends on nothing but the process itself. */
  @Get('live')
  @Public()
  @HealthCheck()
  live(@Res({ passthrough: true }) response: Response): HealthReport {
    return this.report('/health/live', this.withoutDatabase(), response);
  }

  /** Whether requests should be sent here now. */
  @Get('ready')
  @Public()
  @HealthCheck()
  ready(@Res({ passthrough: true }) response: Response): Promise<HealthReport> {
    return this.withDatabase('/health/ready', response);
  }

  /** Whether the start, with its migrations, is over. */
  @Get('startup')
  @Public()
  @HealthCheck()
  startup(@Res({ passthrough: true }) response: Response): HealthReport {
    return this.report('/health/startup', this.withoutDatabase(), response);
  }

  private async withDatabase(path: HealthPath, response: Response): Promise<HealthReport> {
    return this.report(path, await this.readiness.state(), response);
  }

  private withoutDatabase(): HealthState {
    const { started, draining } = this.lifecycle;
    return { startup: upIf(started), serving: upIf(!draining), database: upIf(true) };
  }

  /** A failed check is an answer of its own shape, not an error: probes read both alike. */
  private report(path: HealthPath, state: HealthState, response: Response): HealthReport {
    const report = healthReport(path, state);
    response.set('Cache-Control', 'no-store');
    if (report.status === 'error') response.status(503);
    return report;
  }
}
