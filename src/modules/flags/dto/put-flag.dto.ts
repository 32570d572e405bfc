import { ApiPropertyOptional } from '@nestjs/swagger';
import { IsBoolean } from 'class-validator';
import { FLAG_KEY, MAX_ALLOWED_USERS } from '../../../platform/feature-flags/declared-flag.js';
import { IsIdList } from '../../../common/validation/id.decorator.js';
import { IsReadOnlyProperty, MAX_VERSION } from '../../../common/validation/read-only.decorator.js';
import { IsOptionalProperty } from '../../../common/validation/text.decorators.js';
import { IsWholeNumber } from '../../../common/validation/whole-number.decorator.js';

/** More than any flag's description has. */
const MAX_DESCRIPTION_LENGTH = 1000;

export class PutFlagDto {
  /** False turns the flag off for everyone, whatever the rest says
   * @example true */
  @IsBoolean()
  enabled: boolean;

  /** The share of users for whom the flag is on. 100 if it is left out */
  @IsOptionalProperty()
  @IsWholeNumber(0, 100)
  @ApiPropertyOptional({ example: 100 })
  rollout_percent?: number;

  /** The users for whom the flag is on whatever the percentage is. Empty if it is left out */
  @IsOptionalProperty()
  @IsIdList(MAX_ALLOWED_USERS, 0)
  allow_user_ids?: string[];

  /** The key in the path, which may be repeated here
   * @example signup */
  @IsReadOnlyProperty()
  @ApiPropertyOptional({ pattern: FLAG_KEY.source })
  key?: string;

  /** The description that a read returns. It may be sent back and has no effect
   * @example Sign-ups */
  @IsReadOnlyProperty()
  @ApiPropertyOptional({ maxLength: MAX_DESCRIPTION_LENGTH })
  description?: string;

  /** The version that a read returns. It may be sent back and has no effect; `If-Match` guards against other changes */
  @IsReadOnlyProperty()
  @ApiPropertyOptional({ type: 'integer', minimum: 1, maximum: MAX_VERSION, example: 1 })
  version?: number;
}
