import { Injectable } from '@nestjs/common';
import type { Permission } from '../../common/authorization/permissions.js';
import { UnitOfWork } from '../../platform/database/unit-of-work.js';
import { Role } from './role.entity.js';

export interface RoleWithPermissions {
  readonly name: string;
  readonly shipped: boolean;
  readonly version: number;
  readonly permissions: Permission[];
}

const WITH_PERMISSIONS = `
  SELECT name, shipped, version,
         ARRAY(SELECT permission FROM role_permissions WHERE role = roles.name ORDER BY permission) AS permissions
  FROM roles`;

@Injectable()
export class RolesRepository {
  constructor(private readonly unitOfWork: UnitOfWork) {}

  /** In the order of names, those after `after`. */
  findPage(after: string, limit: number, offset: number): Promise<RoleWithPermissions[]> {
    return this.roles.query(`${WITH_PERMISSIONS} WHERE name > $1 ORDER BY name LIMIT $2 OFFSET $3`, [
      after,
      limit,
      offset,
    ]);
  }

  findByNames(names: readonly string[]): Promise<RoleWithPermissions[]> {
    return this.roles.query(`${WITH_PERMISSIONS} WHERE name = ANY ($1)`, [names]);
  }

  /** Makes the role if it is missing, and holds its row until the unit of work ends. */
  async holdOrCreate(name: string): Promise<void> {
    await this.roles.query('INSERT INTO roles (name) VALUES ($1) ON CONFLICT DO NOTHING', [name]);
    await this.roles.query('SELECT 1 FROM roles WHERE name = $1 FOR UPDATE', [name]);
  }

  /** Replaces the permissions of a role that is held, as its next version. */
  async replacePermissions(name: string, permissions: readonly Permission[]): Promise<void> {
    await this.roles.query('DELETE FROM role_permissions WHERE role = $1 AND permission <> ALL ($2)', [
      name,
      permissions,
    ]);
    await this.roles.query(
      'INSERT INTO role_permissions (role, permission) SELECT $1, unnest($2::text[]) ON CONFLICT DO NOTHING',
      [name, permissions],
    );
    await this.roles.query(
      'UPDATE roles SET version = version + 1, updated_at = clock_timestamp() WHERE name = $1',
      [name],
    );
  }

  count(): Promise<number> {
    return this.roles.count();
  }

  private get roles() {
    return this.unitOfWork.manager.getRepository(Role);
  }
}
