import { Controller, Get, Query, Res } from '@nestjs/common';
import { ApiTags } from '@nestjs/swagger';
import type { Request, Response } from 'express';
import { Caller } from '../../common/context/caller.decorator.js';
import { Requires } from '../../common/authorization/policy.decorator.js';
import type { Permission } from '../../common/authorization/permissions.js';
import type { Principal } from '../../common/authorization/principal.types.js';
import { AppError } from '../../common/errors/app.error.js';
import { ExposesHeaders } from '../../platform/http/exposes-headers.decorator.js';
import { AuditFiltersService } from '../audit/audit-filters.service.js';
import { AuditEntryResponse } from '../audit/dto/audit-entry.response.js';
import { UserResponse } from '../users/dto/user.response.js';
import { BehindFlag } from '../../platform/feature-flags/behind-flag.decorator.js';
import { exportFlag } from './export.flags.js';
import { ApiExport } from './api-export.decorator.js';
import { auditFields, AuditSource } from './sources/audit.source.js';
import { ExportAuditDto } from './dto/export-audit.dto.js';
import { ExportUsersDto } from './dto/export-users.dto.js';
import { ExportService } from './export.service.js';
import { userFields } from './sources/user-columns.js';
import { UsersSource } from './sources/users.source.js';

@ApiTags('export')
@ExposesHeaders('X-Export-Cursor')
@Controller('api/export')
export class ExportController {
  constructor(
    private readonly exports: ExportService,
    private readonly users: UsersSource,
    private readonly audit: AuditSource,
    private readonly filters: AuditFiltersService,
  ) {}

  /** Exports every user as of this moment, in id order. The export can be resumed for 24 hours. */
  @Get('users')
  @Requires('export:run')
  @BehindFlag(exportFlag, isResumed)
  @ApiExport(UserResponse, 'user')
  async exportUsers(
    @Query() query: ExportUsersDto,
    @Caller() caller: Principal,
    @Res() response: Response,
  ): Promise<void> {
    const { search, status, role, fields = userFields } = query;
    if (status === 'deleted' && !caller.permissions.has('users:delete')) throw new AppError('FORBIDDEN');
    const filters = { search: search || undefined, status, role };
    await this.exports.send(
      {
        kind: 'users',
        rowEvent: 'user',
        filters,
        fields: userFields.filter((field) => fields.includes(field)),
        needs: status === 'deleted' ? ['export:run', 'users:delete'] : ['export:run'],
        source: (moment, selected, encoding) =>
          this.users.select({ moment, filters, fields: selected, encoding }),
        estimate: () => this.users.estimate(filters),
      },
      query,
      caller,
      response,
    );
  }

  /** Exports every audit entry that exists at this moment, in id order, which is approximately time order. */
  @Get('audit')
  @Requires('export:run')
  @BehindFlag(exportFlag, isResumed)
  @ApiExport(AuditEntryResponse, 'entry')
  async exportAudit(
    @Query() query: ExportAuditDto,
    @Caller() caller: Principal,
    @Res() response: Response,
  ): Promise<void> {
    const { filters, scope } = await this.filters.resolve(query, caller);
    const { fields = auditFields } = query;
    await this.exports.send(
      {
        kind: 'audit',
        rowEvent: 'entry',
        filters: scope,
        fields: auditFields.filter((field) => fields.includes(field)),
        needs: ['export:run', ...addressPermissions(caller)],
        source: (moment, selected, encoding) =>
          this.audit.select({ moment, filters, fields: selected, encoding }, caller),
        estimate: () => this.audit.estimate(filters),
      },
      query,
      caller,
      response,
    );
  }
}

/** Returns the permissions with which rows show addresses of users. The export ends when the caller loses one. */
function addressPermissions({ permissions }: Principal): Permission[] {
  if (!permissions.has('users:read')) return [];
  return permissions.has('users:delete') ? ['users:read', 'users:delete'] : ['users:read'];
}

/** Tells whether the request goes on with an export that has begun. Its cursor is checked later. */
function isResumed({ headers, originalUrl }: Request): boolean {
  return Boolean(headers['last-event-id']) || /[?&]after=/.test(originalUrl);
}
