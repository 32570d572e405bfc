import { ApiPropertyOptional, IntersectionType } from '@nestjs/swagger';
import { IsIn } from 'class-validator';
import { PageQuery } from '../../../common/pagination/page-query.dto.js';
import { IsId } from '../../../common/validation/id.decorator.js';
import { MAX_EMAIL_LENGTH } from '../../../common/email-address.js';
import {
  IsEmailAddress,
  IsOptionalProperty,
  IsText,
  Trimmed,
} from '../../../common/validation/text.decorators.js';
import { IsIpAddress } from '../../../common/validation/ip-address.decorator.js';
import { IsListOf } from '../../../common/validation/text-list.decorator.js';
import { IsTime } from '../../../common/validation/time.decorator.js';
import {
  type AuditAction,
  type AuditOutcome,
  auditOutcomes,
} from '../../../platform/audit-log/audit.types.js';
import { auditActions } from '../../audit-actions.js';

const MAX_TARGET_LENGTH = 200;

/** The filters of the list and of the export. */
export class AuditFilterQuery {
  /** The id of the user who acted */
  @IsOptionalProperty()
  @IsId()
  @ApiPropertyOptional({ format: 'uuid' })
  actor_id?: string;

  /** The target: the id of a user, session or resource, or the name of a role */
  @IsOptionalProperty()
  @Trimmed()
  @IsText(1, MAX_TARGET_LENGTH)
  @ApiPropertyOptional({ maxLength: MAX_TARGET_LENGTH })
  target_id?: string;

  /** The email address of a user who acted or was acted on. Requires `users:read` */
  @IsOptionalProperty()
  @IsEmailAddress()
  @ApiPropertyOptional({ format: 'email', maxLength: MAX_EMAIL_LENGTH })
  email?: string;

  /** The IP address of the request. Finds no entries of release 0.1.0 or of erased users */
  @IsOptionalProperty()
  @IsIpAddress()
  ip?: string;

  /** The actions to list, separated by commas */
  @IsOptionalProperty()
  @IsListOf(auditActions)
  action?: AuditAction[];

  @IsOptionalProperty()
  @Trimmed()
  @IsIn(auditOutcomes)
  @ApiPropertyOptional({ enum: auditOutcomes })
  outcome?: AuditOutcome;

  /** The start of the time range, inclusive */
  @IsOptionalProperty()
  @IsTime()
  from?: string;

  /** The end of the time range, exclusive */
  @IsOptionalProperty()
  @IsTime()
  to?: string;
}

export class ListAuditDto extends IntersectionType(PageQuery, AuditFilterQuery) {}
