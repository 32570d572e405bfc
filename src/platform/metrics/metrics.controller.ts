import { createHash, timingSafeEqual } from 'node:crypto';
import { Controller, Get, Header, Headers, Res } from '@nestjs/common';
import { ApiBearerAuth, ApiOkResponse, ApiTags, ApiUnauthorizedResponse } from '@nestjs/swagger';
import type { Response } from 'express';
import { register } from 'prom-client';
import { Public } from '../../common/authorization/policy.js';
import { AppError } from '../../common/errors/app-error.js';
import { ErrorResponse } from '../../common/errors/error.response.js';
import type { Config } from '../../config/config.js';
import { InjectConfig } from '../../config/config.module.js';
import { DatabaseMetrics } from './database-metrics.js';

@ApiTags('operations')
@Controller()
export class MetricsController {
  constructor(
    @InjectConfig() private readonly config: Config,
    private readonly database: DatabaseMetrics,
  ) {}

  /** Metrics in the Prometheus text format. With `METRICS_TOKEN` set, only for that bearer token. */
  @Get()
  @Public()
  @ApiBearerAuth('metrics')
  @ApiOkResponse({
    content: { 'text/plain': { schema: { type: 'string' }, example: 'http_requests_total{method="GET"} 1' } },
  })
  @ApiUnauthorizedResponse({ type: ErrorResponse, description: 'Not the metrics token' })
  @Header('Cache-Control', 'no-store')
  async read(
    @Headers('authorization') authorization: string | undefined,
    @Res({ passthrough: true }) response: Response,
  ): Promise<string> {
    this.authorize(authorization);
    this.database.readPool();
    response.set('Content-Type', register.contentType);
    return register.metrics();
  }

  private authorize(authorization: string | undefined): void {
    const token = this.config.METRICS_TOKEN;
    if (token === undefined) return;
    const given = /^bearer +(\S+)$/i.exec(authorization ?? '')?.[1];
    if (given !== undefined && timingSafeEqual(digest(given), digest(token))) return;
    throw new AppError('UNAUTHORIZED', {
      headers: { 'WWW-Authenticate': given === undefined ? 'Bearer' : 'Bearer error="invalid_token"' },
    });
  }
}

/** Of equal length for every input, as timingSafeEqual demands. */
const digest = (text: string): Buffer => createHash('sha256').update(text).digest();
