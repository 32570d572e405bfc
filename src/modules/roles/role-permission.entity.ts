import { Entity, PrimaryColumn } from 'typeorm';
import type { Permission } from '../../common/authorization/permissions.js';

/** A permission that a role grants. */
@Entity('role_permissions')
export class RolePermission {
  @PrimaryColumn('text')
  role: string;

  @PrimaryColumn('text')
  permission: Permission;
}
