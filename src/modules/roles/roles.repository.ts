import { Injectable } from '@nestjs/common';
import type { Permission } from '../../common/authorization/permissions.js';
import { SqlRunner } from '../../platform/database/sql.runner.js';
import { UnitOfWork } from '../../platform/database/transactions/unit-of-work.js';
import { Role } from './role.entity.js';

export interface RoleWithPermissions {
  readonly name: string;
  readonly shipped: boolean;
  readonly version: number;
  readonly permissions: Permission[];
}

/** The maximum number of deleted roles whose versions are kept. No client holds an ETag for that many deletions. */
const MAX_DELETED_ROLES = 1000;

const WITH_PERMISSIONS = `
  SELECT name, shipped, version,
         ARRAY(SELECT permission FROM role_permissions WHERE role = roles.name ORDER BY permission) AS permissions
  FROM roles`;

@Injectable()
export class RolesRepository {
  constructor(
    private readonly unitOfWork: UnitOfWork,
    private readonly sql: SqlRunner,
  ) {}

  /** Returns a page of roles in name order, starting after `after`. */
  findPage(after: string, limit: number, offset: number): Promise<RoleWithPermissions[]> {
    return this.sql.rows(`${WITH_PERMISSIONS} WHERE name > $1 ORDER BY name LIMIT $2 OFFSET $3`, [
      after,
      limit,
      offset,
    ]);
  }

  findByNames(names: readonly string[]): Promise<RoleWithPermissions[]> {
    return this.sql.rows(`${WITH_PERMISSIONS} WHERE name = ANY ($1)`, [names]);
  }

  /** Locks the permissions of these roles against changes until the unit of work ends. */
  async lockForShare(names: readonly string[]): Promise<void> {
    await this.sql.execute('SELECT 1 FROM roles WHERE name = ANY ($1) ORDER BY name FOR KEY SHARE', [names]);
  }

  /**
   * Locks the role for a change. Waits for transactions that rely on its permissions, and blocks others until
   * the unit of work ends.
   */
  async lockForUpdate(name: string): Promise<void> {
    await this.sql.execute('SELECT 1 FROM roles WHERE name = $1 FOR UPDATE', [name]);
  }

  /** Returns the user's current permissions. Returns none unless the user is active. */
  async findPermissionsOfUser(userId: string): Promise<Permission[]> {
    const rows = await this.sql.rows<{ permission: Permission }>(
      `SELECT DISTINCT permission FROM users JOIN role_permissions ON role = ANY (roles)
       WHERE id = $1 AND status = 'active'`,
      [userId],
    );
    return rows.map(({ permission }) => permission);
  }

  /** Returns the roles with at least one permission outside `permissions`. */
  async findNamesAbove(permissions: readonly Permission[]): Promise<string[]> {
    const rows = await this.sql.rows<{ role: string }>(
      'SELECT DISTINCT role FROM role_permissions WHERE permission <> ALL ($1)',
      [permissions],
    );
    return rows.map(({ role }) => role);
  }

  /**
   * Returns true if a user other than `exceptUserId`, whatever the user's status, has both the role `name`
   * and one of `others`.
   */
  async isAssignedWith(name: string, others: readonly string[], exceptUserId: string): Promise<boolean> {
    const row = await this.sql.maybeOne<object>(
      `SELECT 1 FROM users
       WHERE roles @> ARRAY[$1] AND roles && $2 AND roles <> ARRAY['user'] AND id <> $3 LIMIT 1`,
      [name, others, exceptUserId],
    );
    return row !== null;
  }

  /**
   * Locks the table, which serializes role changes so that concurrent inserts cannot exceed the maximum
   * number. Roles rarely change.
   */
  async lockTable(): Promise<void> {
    await this.sql.execute('LOCK TABLE roles IN SHARE ROW EXCLUSIVE MODE');
  }

  /**
   * Inserts a role without permissions in version 0, or in the last version of a deleted role with the same name.
   * Setting its permissions makes the next version, so that no ETag ever identifies two states.
   */
  async insert(name: string): Promise<void> {
    await this.sql.execute(
      `INSERT INTO roles (name, version)
       SELECT $1, coalesce((SELECT version FROM deleted_roles WHERE name = $1), 0)`,
      [name],
    );
  }

  /** Deletes the role with its permissions, and keeps its version in `deleted_roles`. */
  async delete(name: string): Promise<void> {
    await this.sql.execute(
      `WITH deleted AS (DELETE FROM roles WHERE name = $1 RETURNING name, version)
       INSERT INTO deleted_roles (name, version) SELECT name, version FROM deleted
       ON CONFLICT (name) DO UPDATE SET version = excluded.version, deleted_at = clock_timestamp()`,
      [name],
    );
    await this.sql.execute(
      `DELETE FROM deleted_roles WHERE name IN (SELECT name FROM deleted_roles ORDER BY deleted_at DESC OFFSET $1)`,
      [MAX_DELETED_ROLES],
    );
  }

  /** Returns true if a user has the role, whatever the user's status. */
  async isAssigned(name: string): Promise<boolean> {
    const row = await this.sql.maybeOne<object>(
      `SELECT 1 FROM users WHERE roles @> ARRAY[$1] AND roles <> ARRAY['user'] LIMIT 1`,
      [name],
    );
    return row !== null;
  }

  /** Replaces the permissions of a role and raises its version. The caller has locked the table. */
  async replacePermissions(name: string, permissions: readonly Permission[]): Promise<void> {
    await this.sql.execute('DELETE FROM role_permissions WHERE role = $1 AND permission <> ALL ($2)', [
      name,
      permissions,
    ]);
    await this.sql.execute(
      'INSERT INTO role_permissions (role, permission) SELECT $1, unnest($2::text[]) ON CONFLICT DO NOTHING',
      [name, permissions],
    );
    await this.roles.update({ name }, { version: () => 'version + 1', updatedAt: () => 'clock_timestamp()' });
  }

  count(): Promise<number> {
    return this.roles.count();
  }

  private get roles() {
    return this.unitOfWork.manager.getRepository(Role);
  }
}
