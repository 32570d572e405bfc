import { ApiProperty } from '@nestjs/swagger';
import { IsIn } from 'class-validator';
import type { Permission } from '../../../common/authorization/permissions.js';
import { permissions } from '../../permissions.js';
import { IsShortList } from '../../../common/validation/short-list.decorator.js';

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
}
