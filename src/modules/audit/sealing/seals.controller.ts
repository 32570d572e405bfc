import { Body, Controller, Get, HttpCode, Param, Post, Query, Req, Res } from '@nestjs/common';
import { ApiConflictResponse, ApiNotFoundResponse, ApiOkResponse, ApiTags } from '@nestjs/swagger';
import type { Request, Response } from 'express';
import { Requires } from '../../../common/authorization/policy.decorator.js';
import { ErrorResponse } from '../../../common/errors/error.response.js';
import { ApiPage } from '../../../common/pagination/api-page.decorator.js';
import { PageQuery } from '../../../common/pagination/page-query.dto.js';
import { sendPage } from '../../../common/pagination/page.js';
import { IdPipe } from '../../../common/validation/id.pipe.js';
import { ProofResponse, toProofResponse } from '../dto/proof.response.js';
import { SealHeadResponse, SealResponse, toSealHeadResponse, toSealResponse } from '../dto/seal.response.js';
import { toVerdictResponse, VerdictResponse } from '../dto/verdict.response.js';
import { VerifyTrailDto } from '../dto/verify-audit-log.dto.js';
import { SealsService } from './seals.service.js';
import { Repeatable } from '../../../platform/idempotency/idempotency.decorator.js';

@ApiTags('audit')
@Controller('api/audit')
@Requires('audit:read')
export class SealsController {
  constructor(private readonly seals: SealsService) {}

  /** Lists the seals of the audit log, newest first. */
  @Get('seals')
  @ApiPage(SealResponse)
  async listSeals(
    @Query() query: PageQuery,
    @Req() request: Request,
    @Res({ passthrough: true }) response: Response,
  ): Promise<SealResponse[]> {
    const page = await this.seals.list(query);
    return sendPage(page, request, response).map(toSealResponse);
  }

  /** Returns the head of the audit log. Store it elsewhere to detect the loss of entries that it covers. */
  @Get('seals/latest')
  @ApiOkResponse({ type: SealHeadResponse })
  @ApiNotFoundResponse({ type: ErrorResponse, description: 'No seal exists yet' })
  @ApiConflictResponse({
    type: ErrorResponse,
    description: 'The latest seal is signed by an unknown key',
  })
  async readLatestSeal(): Promise<SealHeadResponse> {
    const { seal, key } = await this.seals.getHead();
    return toSealHeadResponse(seal, key);
  }

  /**
   * Returns the proof that an entry is in the audit log: the path from its hash to the root of a
   * seal (RFC 9162, 2.1.3).
   */
  @Get(':id/proof')
  @ApiOkResponse({ type: ProofResponse })
  @ApiConflictResponse({
    type: ErrorResponse,
    description: 'The entry is not sealed yet (with `Retry-After`), or differs from its sealed hash',
  })
  async proveAuditEntry(@Param('id', IdPipe) id: string): Promise<ProofResponse> {
    return toProofResponse(await this.seals.prove(id));
  }

  /**
   * Verifies the audit log and returns the first fault. With `from` or `to`, verifies the seals signed in
   * that range, plus a minute on either side. The request time limit applies. For a larger log, export it and
   * run `npm run audit:verify`, which can also verify it against a stored head.
   */
  @Post('verify')
  @Repeatable()
  @HttpCode(200)
  @ApiOkResponse({ type: VerdictResponse })
  async verifyAuditLog(@Body() body: VerifyTrailDto): Promise<VerdictResponse> {
    return toVerdictResponse(await this.seals.verify(body));
  }
}
