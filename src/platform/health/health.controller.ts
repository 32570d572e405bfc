import { Controller, Get, Res, ServiceUnavailableException } from '@nestjs/common';
import { ApiTags } from '@nestjs/swagger';
import {
  HealthCheck,
  type HealthCheckResult,
  HealthCheckService,
  HealthIndicatorService,
  TypeOrmHealthIndicator,
} from '@nestjs/terminus';
import type { Response } from 'express';
import { Public } from '../../common/authorization/policy.js';
import { BuildFacts, type RunningBuild } from '../database/build-facts.js';
import { WriteAccess } from '../database/write-access.js';
import { IgnoresQuery } from '../http/route-facts.js';
import { Lifecycle } from '../lifecycle/lifecycle.js';

/** A probe asks every few seconds; a database that takes longer than this serves nobody. */
const DATABASE_TIMEOUT_MS = 2000;

type Check = Parameters<HealthCheckService['check']>[0][number];

@ApiTags('operations')
@IgnoresQuery()
@Controller('health')
export class HealthController {
  constructor(
    private readonly health: HealthCheckService,
    private readonly indicator: HealthIndicatorService,
    private readonly database: TypeOrmHealthIndicator,
    private readonly lifecycle: Lifecycle,
    private readonly writes: WriteAccess,
    private readonly build: BuildFacts,
  ) {}

  /** Every check there is, and which build runs on which schema, for people. */
  @Get()
  @Public()
  @HealthCheck()
  async all(@Res({ passthrough: true }) response: Response): Promise<HealthCheckResult & RunningBuild> {
    const checks = [this.startedCheck, this.servingCheck, this.databaseCheck];
    return { ...(await this.report(response, checks)), ...this.build.running };
  }

  /** Whether a restart would help: depends on nothing but the process itself. */
  @Get('live')
  @Public()
  @HealthCheck()
  live(@Res({ passthrough: true }) response: Response): Promise<HealthCheckResult> {
    return this.report(response, []);
  }

  /** Whether requests should be sent here now. */
  @Get('ready')
  @Public()
  @HealthCheck()
  ready(@Res({ passthrough: true }) response: Response): Promise<HealthCheckResult> {
    return this.report(response, [this.servingCheck, this.databaseCheck]);
  }

  /** Whether the start, with its migrations, is over. */
  @Get('startup')
  @Public()
  @HealthCheck()
  startup(@Res({ passthrough: true }) response: Response): Promise<HealthCheckResult> {
    return this.report(response, [this.startedCheck]);
  }

  private readonly startedCheck: Check = () => this.upIf('startup', this.lifecycle.started);

  private readonly servingCheck: Check = () => this.upIf('serving', !this.lifecycle.draining);

  /** Anybody may read this: what the driver says of a failure names hosts and databases. */
  private readonly databaseCheck: Check = async () => {
    // Most of what the service does is a write: sign-ins, and each entry of the audit trail.
    if (!this.writes.granted) return this.indicator.check('database').down({ reason: 'read-only' });
    const result = await this.database.pingCheck('database', { timeout: DATABASE_TIMEOUT_MS });
    const { status, responseTime } = result.database;
    return { database: { status, responseTime } };
  };

  private upIf(key: string, healthy: boolean) {
    const check = this.indicator.check(key);
    return healthy ? check.up() : check.down();
  }

  /** A failed check is an answer of its own shape, not an error: probes read both alike. */
  private async report(response: Response, checks: Check[]): Promise<HealthCheckResult> {
    response.set('Cache-Control', 'no-store');
    try {
      return await this.health.check(checks);
    } catch (error) {
      if (!(error instanceof ServiceUnavailableException)) throw error;
      response.status(error.getStatus());
      return error.getResponse() as HealthCheckResult;
    }
  }
}
