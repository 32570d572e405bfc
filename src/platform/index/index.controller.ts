import { Controller, Get, Req, Res } from '@nestjs/common';
import { ApiFoundResponse, ApiOkResponse, ApiTags } from '@nestjs/swagger';
import type { Request, Response } from 'express';
import { Public } from '../../common/authorization/policy.decorator.js';
import { Operational } from '../../common/http/operational.decorator.js';
import { buildInfo } from '../../config/build-info.js';
import type { Config } from '../../config/config.js';
import { InjectConfig } from '../../config/config.module.js';
import { IgnoresQuery } from '../http/route-facts.js';
import { IndexResponse } from './index.response.js';

const DOCUMENTATION = '/docs';

/** The landing page for callers who know only the service's address. */
@ApiTags('operations')
@IgnoresQuery()
@Controller()
export class IndexController {
  constructor(@InjectConfig() private readonly config: Config) {}

  /** Returns the name, the version and links. Redirects browsers to the documentation if it is served. */
  @Get()
  @Public()
  @Operational()
  @ApiOkResponse({ type: IndexResponse })
  @ApiFoundResponse({ description: 'Redirects a browser to the documentation' })
  describeService(
    @Req() request: Request,
    @Res({ passthrough: true }) response: Response,
  ): IndexResponse | undefined {
    return this.answer(request, response);
  }

  /** Returns the same as `GET /`. */
  @Get('api')
  @Public()
  @ApiOkResponse({ type: IndexResponse })
  @ApiFoundResponse({ description: 'Redirects a browser to the documentation' })
  describeApi(
    @Req() request: Request,
    @Res({ passthrough: true }) response: Response,
  ): IndexResponse | undefined {
    return this.answer(request, response);
  }

  private answer(request: Request, response: Response): IndexResponse | undefined {
    response.vary('Accept');
    // A caller that accepts anything is a program.
    if (this.config.DOCS && request.accepts(['json', 'html']) === 'html') {
      response.status(302).location(DOCUMENTATION);
      return undefined;
    }
    return { name: 'Gatehouse', version: buildInfo.version, links: this.links() };
  }

  private links(): Record<string, string> {
    const base = this.config.PUBLIC_URL;
    return {
      health: `${base}/health`,
      keys: `${base}/.well-known/jwks.json`,
      ...(this.config.DOCS && {
        documentation: `${base}${DOCUMENTATION}`,
        openapi: `${base}/openapi.json`,
      }),
    };
  }
}
