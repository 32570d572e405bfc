import { ApiProperty } from '@nestjs/swagger';
import { ArrayMaxSize, ArrayUnique, IsArray, IsIn } from 'class-validator';
import { type Permission, permissions } from '../../../common/authorization/permissions.js';

export class PutRoleDto {
  @IsArray()
  @ArrayMaxSize(permissions.length)
  @ArrayUnique()
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
