import { ApiPropertyOptional } from '@nestjs/swagger';
import { IsIn } from 'class-validator';
import { IsQueryFlag } from '../../../common/validation/query-flag.decorator.js';
import { IsOptionalProperty } from '../../../common/validation/text.decorators.js';
import { conflictPolicies, type ConflictPolicy } from '../import-options.js';

export class ImportQueryDto {
  /** Validates the whole file and changes nothing. The results say what would happen to each row */
  @IsQueryFlag()
  dry_run?: boolean;

  /**
   * Decides about a row whose address exists: it fails, it is skipped, or it updates the user's name, roles, status
   * and `email_verified`. The address of a deleted user always fails
   */
  @IsOptionalProperty()
  @IsIn(conflictPolicies)
  @ApiPropertyOptional({ enum: conflictPolicies, default: 'fail' })
  on_conflict?: ConflictPolicy;
}
