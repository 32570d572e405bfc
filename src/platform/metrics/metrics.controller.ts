import { Controller, Get, Header, Req, Res } from '@nestjs/common';
import { ApiBearerAuth, ApiOkResponse, ApiTags, ApiUnauthorizedResponse } from '@nestjs/swagger';
import type { Request, Response } from 'express';
import { Public } from '../../common/authorization/policy.decorator.js';
import { ErrorResponse } from '../../common/errors/error.response.js';
import { Operational } from '../../common/http/operational.decorator.js';
import type { Config } from '../../config/config.js';
import { InjectConfig } from '../../config/config.module.js';
import { MetricsRegistry } from './metrics.registry.js';
import { assertMetricsToken } from './metrics-token.js';

@ApiTags('operations')
@Operational({ evenOverloaded: true })
@Controller()
export class MetricsController {
  constructor(
    @InjectConfig() private readonly config: Config,
    private readonly registry: MetricsRegistry,
  ) {}

  /**
   * Returns all metrics in the Prometheus text format. With `METRICS_TOKEN` set, requires that bearer token.
   */
  @Get()
  @Public()
  @ApiBearerAuth('metrics')
  @ApiOkResponse({
    content: { 'text/plain': { schema: { type: 'string' }, example: 'http_requests_total{method="GET"} 1' } },
  })
  @ApiUnauthorizedResponse({ type: ErrorResponse, description: 'The metrics token is missing or wrong' })
  @Header('Cache-Control', 'no-store')
  async readMetrics(
    @Req() request: Request,
    @Res({ passthrough: true }) response: Response,
  ): Promise<string> {
    assertMetricsToken(request.headers.authorization, this.config.METRICS_TOKEN);
    const { contentType, text } = await this.registry.read();
    response.set('Content-Type', contentType);
    return text;
  }
}
