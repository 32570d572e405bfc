import { ApiPropertyOptional } from '@nestjs/swagger';
import { IsIn } from 'class-validator';
import { PageQuery } from '../../../common/pagination/page-query.dto.js';
import { IsOptionalProperty, IsText, Trimmed } from '../../../common/validation/text.decorators.js';
import { IsRoleName, ROLE_NAME } from '../../roles/dto/role-name.decorator.js';
import { userStatuses, type UserStatus } from '../user.entity.js';

export const userSorts = ['created_at', '-created_at', 'email', '-email', 'name', '-name'] as const;
export type UserSort = (typeof userSorts)[number];

/** A name and an address together are no longer. */
const MAX_SEARCH_LENGTH = 354;

export class ListUsersDto extends PageQuery {
  /** Case-insensitive part of the name or the e-mail, without outer white space; `%` and `_` are plain characters. The dotted and the dotless i of Turkish are one letter, and full-width letters, ligatures and other compatible characters (NFKC) find the plain ones and the reverse. A whole e-mail address finds its user in any spelling that sign-in takes */
  @IsOptionalProperty()
  @Trimmed()
  @IsText(0, MAX_SEARCH_LENGTH)
  @ApiPropertyOptional({ maxLength: MAX_SEARCH_LENGTH })
  search?: string;

  /** Without it: every account that is not deleted. `deleted` needs `users:delete` */
  @IsOptionalProperty()
  @Trimmed()
  @IsIn(userStatuses)
  @ApiPropertyOptional({ enum: userStatuses })
  status?: UserStatus;

  @IsOptionalProperty()
  @Trimmed()
  @IsRoleName()
  @ApiPropertyOptional({ pattern: ROLE_NAME.source, example: 'admin' })
  role?: string;

  @IsOptionalProperty()
  @IsIn(userSorts)
  @ApiPropertyOptional({ enum: userSorts, default: 'created_at' })
  sort?: UserSort;
}
