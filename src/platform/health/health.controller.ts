import { Controller, Get, Res } from '@nestjs/common';
import { ApiOkResponse, ApiServiceUnavailableResponse, ApiTags } from '@nestjs/swagger';
import { HealthCheck } from '@nestjs/terminus';
import type { Response } from 'express';
import { Public } from '../../common/authorization/policy.decorator.js';
import { Operational } from '../../common/http/operational.decorator.js';
import { IgnoresQuery } from '../http/route-facts.js';
import { type FullHealthReport, type HealthReport, healthReport } from './health-report.js';
import { FullHealthResponse } from './health.response.js';
import { ReadinessService } from './readiness.service.js';

@ApiTags('operations')
@IgnoresQuery()
@Operational({ evenOverloaded: true })
@Controller('health')
export class HealthController {
  constructor(private readonly readiness: ReadinessService) {}

  /** Returns all checks, the running build and its schema, for people. */
  @Get()
  @Public()
  @HealthCheck({ noCache: false, swaggerDocumentation: false })
  @ApiOkResponse({ type: FullHealthResponse })
  @ApiServiceUnavailableResponse({ type: FullHealthResponse, description: 'A check failed' })
  async checkHealth(@Res({ passthrough: true }) response: Response): Promise<FullHealthReport> {
    return answer(healthReport('/health', await this.readiness.state()), response);
  }

  /** Tells whether a restart would help. Depends only on the process itself. */
  @Get('live')
  @Public()
  @HealthCheck()
  checkLiveness(@Res({ passthrough: true }) response: Response): HealthReport {
    return answer(healthReport('/health/live', this.readiness.stateWithoutDatabase()), response);
  }

  /** Tells whether requests should be sent to this instance now. */
  @Get('ready')
  @Public()
  @HealthCheck()
  async checkReadiness(@Res({ passthrough: true }) response: Response): Promise<HealthReport> {
    return answer(healthReport('/health/ready', await this.readiness.state()), response);
  }

  /** Tells whether the start, including its migrations, is over. */
  @Get('startup')
  @Public()
  @HealthCheck()
  checkStartup(@Res({ passthrough: true }) response: Response): HealthReport {
    return answer(healthReport('/health/startup', this.readiness.stateWithoutDatabase()), response);
  }
}

/**
 * Sends the report. A failed check has the format of a report, not of an error, so that probes read both
 * alike.
 */
function answer<Report extends HealthReport>(report: Report, response: Response): Report {
  response.set('Cache-Control', 'no-store');
  if (report.status === 'error') response.status(503);
  return report;
}
