import { ApiPropertyOptional } from '@nestjs/swagger';
import { IsIn } from 'class-validator';
import { PageQuery } from '../../../common/pagination/page-query.dto.js';
import { IsId } from '../../../common/validation/id.decorator.js';
import { IsOptionalProperty, IsText, Trimmed } from '../../../common/validation/text.decorators.js';
import { IsTime } from '../../../common/validation/time.decorator.js';
import {
  type AuditAction,
  type AuditOutcome,
  auditOutcomes,
} from '../../../platform/audit-log/audit.types.js';
import { auditActions } from '../../audit-actions.js';

const MAX_TARGET_LENGTH = 200;

export class ListAuditDto extends PageQuery {
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

  @IsOptionalProperty()
  @Trimmed()
  @IsIn(auditActions)
  @ApiPropertyOptional({ enum: auditActions })
  action?: AuditAction;

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
