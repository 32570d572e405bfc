import { ApiProperty, ApiPropertyOptional } from '@nestjs/swagger';
import { Equals, IsIn } from 'class-validator';
import type { Permission } from '../../../common/authorization/permissions.js';
import { permissions } from '../../permissions.js';
import { IsReadOnlyProperty, MAX_VERSION } from '../../../common/validation/read-only.decorator.js';
import { ROLE_NAME } from './role-name.decorator.js';
import { IsShortList } from '../../../common/validation/short-list.decorator.js';
import { IsOptionalProperty } from '../../../common/validation/text.decorators.js';

export class PutRoleDto {
  @IsShortList(0, permissions.length)
  @IsIn(permissions, { each: true })
  @ApiProperty({
    enum: permissions,
    isArray: true,
    uniqueItems: true,
    maxItems: permissions.length,
    example: ['users:read'],
  })
  permissions: Permission[];

  /** The name in the path, which may be repeated here
   * @example support */
  @IsReadOnlyProperty()
  @ApiPropertyOptional({ pattern: ROLE_NAME.source })
  name?: string;

  /** False, as a read returns it. It may be sent back
   * @example false */
  @IsOptionalProperty()
  @Equals(false, { message: 'shipped must be false: roles that ship with the product cannot be changed' })
  shipped?: boolean;

  /** The version that a read returns. It may be sent back and has no effect; `If-Match` guards against other changes */
  @IsReadOnlyProperty()
  @ApiPropertyOptional({ type: 'integer', minimum: 1, maximum: MAX_VERSION, example: 1 })
  version?: number;
}
