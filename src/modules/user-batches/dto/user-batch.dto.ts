import { ApiProperty, ApiPropertyOptional } from '@nestjs/swagger';
import { IsBoolean, IsIn } from 'class-validator';
import { IsIdList } from '../../../common/validation/id.decorator.js';
import { IsOptionalProperty } from '../../../common/validation/text.decorators.js';
import { IsRoleName, ROLE_NAME } from '../../roles/dto/role-name.decorator.js';
import { type UserActionName, userActionNames } from '../user-action.types.js';

/** The maximum number of rows in one job. */
export const MAX_BATCH = 10_000;

export class UserBatchDto {
  /** The action to perform. It requires the same permission as the corresponding single request */
  @IsIn(userActionNames)
  @ApiProperty({ enum: userActionNames, example: 'disable' })
  action: UserActionName;

  /** The users to act on. Each one succeeds or fails independently */
  @IsIdList(MAX_BATCH)
  user_ids: string[];

  /** The role to grant or revoke. Required with `grant_role` and `revoke_role`, rejected otherwise */
  @IsOptionalProperty()
  @IsRoleName()
  @ApiPropertyOptional({ pattern: ROLE_NAME.source, example: 'premium' })
  role?: string;

  /** Changes nothing. The results say what would happen to each user in its current state
   * @example false */
  @IsOptionalProperty()
  @IsBoolean()
  dry_run?: boolean;
}
