import { ApiPropertyOptional } from '@nestjs/swagger';
import { IsIn } from 'class-validator';
import { PageQuery } from '../../../common/pagination/page-query.dto.js';
import { IsOptionalProperty, IsText, Trimmed } from '../../../common/validation/text.decorators.js';
import { IsRoleName, ROLE_NAME } from '../../roles/dto/role-name.decorator.js';
import { userStatuses, type UserStatus } from '../user.entity.js';

export const userSorts = ['created_at', '-created_at', 'email', '-email', 'name', '-name'] as const;
export type UserSort = (typeof userSorts)[number];

/** The longest name (100) and the longest address (254) together. */
const MAX_SEARCH_LENGTH = 354;

export class ListUsersDto extends PageQuery {
  /** A case-insensitive part of the name or the email address. Outer white space is ignored, and `%` and `_` are plain characters. The Turkish dotted and dotless i match each other. Full-width letters, ligatures and other compatible characters (NFKC) match the plain ones, and plain ones match them. A whole email address finds its user in every spelling that sign-in accepts */
  @IsOptionalProperty()
  @Trimmed()
  @IsText(0, MAX_SEARCH_LENGTH)
  @ApiPropertyOptional({ maxLength: MAX_SEARCH_LENGTH })
  search?: string;

  /** The status of the users to list. Defaults to every status but `deleted`, which requires `users:delete` */
  @IsOptionalProperty()
  @Trimmed()
  @IsIn(userStatuses)
  @ApiPropertyOptional({ enum: userStatuses })
  status?: UserStatus;

  /** A role that the users must have */
  @IsOptionalProperty()
  @Trimmed()
  @IsRoleName()
  @ApiPropertyOptional({ pattern: ROLE_NAME.source, example: 'admin' })
  role?: string;

  /** The order, with `-` for descending */
  @IsOptionalProperty()
  @IsIn(userSorts)
  @ApiPropertyOptional({ enum: userSorts, default: 'created_at' })
  sort?: UserSort;
}
