import { ApiProperty, ApiPropertyOptional } from '@nestjs/swagger';
import { IsBoolean, IsIn } from 'class-validator';
import { IsIdList } from '../../../common/validation/id.decorator.js';
import { IsOptionalProperty } from '../../../common/validation/text.decorators.js';
import { IsRoleName, ROLE_NAME } from '../../roles/dto/role-name.decorator.js';
import { type UserActionName, userActionNames } from '../user-action.js';

/** Rows of one job. */
export const MAX_BATCH = 10_000;

export class UserBatchDto {
  /** What to do; each needs the right that it needs by hand */
  @IsIn(userActionNames)
  @ApiProperty({ enum: userActionNames, example: 'disable' })
  action: UserActionName;

  /** To which accounts; each is judged by itself */
  @IsIdList(MAX_BATCH)
  user_ids: string[];

  /** With `grant_role` and `revoke_role` */
  @IsOptionalProperty()
  @IsRoleName()
  @ApiPropertyOptional({ pattern: ROLE_NAME.source, example: 'premium' })
  role?: string;

  /** Only tells by the results what would become of each account, as it stands: nothing changes
   * @example false */
  @IsOptionalProperty()
  @IsBoolean()
  dry_run?: boolean;
}
