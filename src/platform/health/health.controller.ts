import { Controller, Get, Res } from '@nestjs/common';
import { ApiOkResponse, ApiServiceUnavailableResponse, ApiTags } from '@nestjs/swagger';
import { HealthCheck } from '@nestjs/terminus';
import type { Response } from 'express';
import { Public } from '../../common/authorization/policy.js';
import { IgnoresQuery } from '../http/route-facts.js';
import { type FullHealthReport, type HealthReport, healthReport } from './health-report.js';
import { FullHealthResponse } from './health.response.js';
import { Readiness } from './readiness.js';

@ApiTags('operations')
@IgnoresQuery()
@Controller('health')
export class HealthController {
  constructor(private readonly readiness: Readiness) {}

  /** Every check there is, and which build runs on which schema, for people. */
  @Get()
  @Public()
  @HealthCheck({ noCache: false, swaggerDocumentation: false })
  @ApiOkResponse({ type: FullHealthResponse })
  @ApiServiceUnavailableResponse({ type: FullHealthResponse, description: 'A check failed' })
  async all(@Res({ passthrough: true }) response: Response): Promise<FullHealthReport> {
    return answer(healthReport('/health', await this.readiness.state()), response);
  }

  /** Whether a restart would help: depends on nothing but the process itself. */
  @Get('live')
  @Public()
  @HealthCheck()
  live(@Res({ passthrough: true }) response: Response): HealthReport {
    return answer(healthReport('/health/live', this.readiness.stateWithoutDatabase()), response);
  }

  /** Whether requests should be sent here now. */
  @Get('ready')
  @Public()
  @HealthCheck()
  async ready(@Res({ passthrough: true }) response: Response): Promise<HealthReport> {
    return answer(healthReport('/health/ready', await this.readiness.state()), response);
  }

  /** Whether the start, with its migrations, is over. */
  @Get('startup')
  @Public()
  @HealthCheck()
  startup(@Res({ passthrough: true }) response: Response): HealthReport {
    return answer(healthReport('/health/startup', this.readiness.stateWithoutDatabase()), response);
  }
}

/** A failed check is an answer of its own shape, not an error: probes read both alike. */
function answer<Report extends HealthReport>(report: Report, response: Response): Report {
  response.set('Cache-Control', 'no-store');
  if (report.status === 'error') response.status(503);
  return report;
}
