import { ApiProperty } from '@nestjs/swagger';
import type { Permission } from '../../../common/authorization/permissions.js';
import { permissions } from '../../permissions.js';
import type { RoleWithPermissions } from '../roles.repository.js';

export class RoleResponse {
  /** @example support */
  name: string;

  @ApiProperty({ enum: permissions, isArray: true, example: ['users:read'] })
  permissions: Permission[];

  /** Marks a role that ships with the product and cannot be changed
   * @example false */
  shipped: boolean;

  @ApiProperty({ type: 'integer', minimum: 1, example: 1 })
  version: number;
}

export const toRoleResponse = (role: RoleWithPermissions): RoleResponse => ({
  name: role.name,
  permissions: role.permissions,
  shipped: role.shipped,
  version: role.version,
});
