import { Body, Controller, Get, HttpCode, Param, Post, Query, Req, Res } from '@nestjs/common';
import { ApiConflictResponse, ApiNotFoundResponse, ApiOkResponse, ApiTags } from '@nestjs/swagger';
import type { Request, Response } from 'express';
import { Requires } from '../../../common/authorization/policy.js';
import { ErrorResponse } from '../../../common/errors/error.response.js';
import { ApiPage } from '../../../common/pagination/api-page.js';
import { PageQuery } from '../../../common/pagination/page-query.dto.js';
import { sendPage } from '../../../common/pagination/page.js';
import { IdPipe } from '../../../common/validation/id.pipe.js';
import { ProofResponse, toProofResponse } from './dto/proof.response.js';
import { SealHeadResponse, SealResponse, toSealHeadResponse, toSealResponse } from './dto/seal.response.js';
import { toVerdictResponse, VerdictResponse } from './dto/verdict.response.js';
import { VerifyTrailDto } from './dto/verify-trail.dto.js';
import { SealsService } from './seals.service.js';

@ApiTags('audit')
@Controller('api/audit')
@Requires('audit:read')
export class SealsController {
  constructor(private readonly seals: SealsService) {}

  /** The seals of the audit trail, the newest first. */
  @Get('seals')
  @ApiPage(SealResponse)
  async list(
    @Query() query: PageQuery,
    @Req() request: Request,
    @Res({ passthrough: true }) response: Response,
  ): Promise<SealResponse[]> {
    const page = await this.seals.list(query);
    return sendPage(page, request, response).map(toSealResponse);
  }

  /** The head of the trail. Keep it elsewhere: what it covers cannot be cut off unseen. */
  @Get('seals/latest')
  @ApiOkResponse({ type: SealHeadResponse })
  @ApiNotFoundResponse({ type: ErrorResponse, description: 'Nothing is sealed yet' })
  @ApiConflictResponse({
    type: ErrorResponse,
    description: 'The last seal is signed by a key that is not ours',
  })
  async latest(): Promise<SealHeadResponse> {
    const { seal, key } = await this.seals.getHead();
    return toSealHeadResponse(seal, key);
  }

  /** The proof that an entry is in the trail: the path from its hash to the root of a seal (RFC 9162, 2.1.3). */
  @Get(':id/proof')
  @ApiOkResponse({ type: ProofResponse })
  @ApiConflictResponse({
    type: ErrorResponse,
    description: 'Not sealed yet (with `Retry-After`), or no longer as it was sealed',
  })
  async prove(@Param('id', IdPipe) id: string): Promise<ProofResponse> {
    return toProofResponse(await this.seals.prove(id));
  }

  /**
   * Verifies the trail, or the seals made between two times and a minute around them, and names the
   * first fault. It runs within the time limit of a request: for more than fits into that, export the
   * trail and run `npm run audit:verify`, which can also test it against a head that was kept elsewhere.
   */
  @Post('verify')
  @HttpCode(200)
  @ApiOkResponse({ type: VerdictResponse })
  async verify(@Body() body: VerifyTrailDto): Promise<VerdictResponse> {
    return toVerdictResponse(await this.seals.verify(body));
  }
}
