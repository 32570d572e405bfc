import { createHash, timingSafeEqual } from 'node:crypto';
import { Controller, Get, Header, Req, Res } from '@nestjs/common';
import { ApiBearerAuth, ApiOkResponse, ApiTags, ApiUnauthorizedResponse } from '@nestjs/swagger';
import type { Request, Response } from 'express';
import { register } from 'prom-client';
import { Public } from '../../common/authorization/policy.js';
import { ErrorResponse } from '../../common/errors/error.response.js';
import { bearerToken, unauthorized } from '../../common/http/bearer.js';
import type { Config } from '../../config/config.js';
import { InjectConfig } from '../../config/config.module.js';
import { DatabaseMetrics } from './database-metrics.js';
import { PasswordMetrics } from './password-metrics.js';

@ApiTags('operations')
@Controller()
export class MetricsController {
  constructor(
    @InjectConfig() private readonly config: Config,
    private readonly database: DatabaseMetrics,
    private readonly passwords: PasswordMetrics,
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
  async read(@Req() request: Request, @Res({ passthrough: true }) response: Response): Promise<string> {
    this.authorize(request);
    this.database.readPool();
    this.passwords.readDepths();
    response.set('Content-Type', register.contentType);
    return register.metrics();
  }

  private authorize(request: Request): void {
    const token = this.config.METRICS_TOKEN;
    if (token === undefined) return;
    const given = bearerToken(request);
    if (given === null || !timingSafeEqual(digest(given), digest(token))) throw unauthorized(given !== null);
  }
}

/** Of equal length for every input, as timingSafeEqual demands. */
const digest = (text: string): Buffer => createHash('sha256').update(text).digest();
