import { ApiPropertyOptional } from '@nestjs/swagger';
import { IsBoolean, IsInt, Max, Min } from 'class-validator';
import { MAX_ALLOWED_USERS } from '../../../platform/feature-flags/declared-flag.js';
import { IsIdList } from '../../../common/validation/id.decorator.js';
import { IsOptionalProperty } from '../../../common/validation/text.decorators.js';

export class PutFlagDto {
  /** False turns the flag off for everyone, whatever the rest says
   * @example true */
  @IsBoolean()
  enabled: boolean;

  /** The share of users for whom the flag is on. 100 if it is left out */
  @IsOptionalProperty()
  @IsInt()
  @Min(0)
  @Max(100)
  @ApiPropertyOptional({ type: 'integer', minimum: 0, maximum: 100, example: 100 })
  rollout_percent?: number;

  /** The users for whom the flag is on whatever the percentage is. Empty if it is left out */
  @IsOptionalProperty()
  @IsIdList(MAX_ALLOWED_USERS, 0)
  allow_user_ids?: string[];
}
