import { Controller, Get, Param, Query, Req, Res } from '@nestjs/common';
import { ApiNotFoundResponse, ApiOkResponse, ApiTags } from '@nestjs/swagger';
import type { Request, Response } from 'express';
import { Requires } from '../../common/authorization/policy.decorator.js';
import type { Principal } from '../../common/authorization/principal.types.js';
import { Caller } from '../../common/context/caller.decorator.js';
import { ErrorResponse } from '../../common/errors/error.response.js';
import { ApiPage } from '../../common/pagination/api-page.decorator.js';
import { sendPage } from '../../common/pagination/page.js';
import { IdPipe } from '../../common/validation/id.pipe.js';
import { AuditService } from './audit.service.js';
import { AuditEntryResponse, toAuditEntryResponse } from './dto/audit-entry.response.js';
import { ListAuditDto } from './dto/list-audit.dto.js';

@ApiTags('audit')
@Controller('api/audit')
export class AuditController {
  constructor(private readonly audit: AuditService) {}

  /** Lists audit entries, newest first. Reading the audit log also creates an entry. */
  @Get()
  @Requires('audit:read')
  @ApiPage(AuditEntryResponse)
  async listAuditEntries(
    @Query() query: ListAuditDto,
    @Caller() caller: Principal,
    @Req() request: Request,
    @Res({ passthrough: true }) response: Response,
  ): Promise<AuditEntryResponse[]> {
    return sendPage(await this.audit.list(query, caller), request, response).map(toAuditEntryResponse);
  }

  /** Returns one audit entry. Reading it also creates an entry. */
  @Get(':id')
  @Requires('audit:read')
  @ApiOkResponse({ type: AuditEntryResponse })
  @ApiNotFoundResponse({ type: ErrorResponse })
  async readAuditEntry(
    @Param('id', IdPipe) id: string,
    @Caller() caller: Principal,
  ): Promise<AuditEntryResponse> {
    return toAuditEntryResponse(await this.audit.get(id, caller));
  }
}
