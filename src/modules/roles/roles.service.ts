import { NIL_UUID } from '../../common/ids.js';
import { Injectable } from '@nestjs/common';
import type { Permission } from '../../common/authorization/permissions.js';
import type { Principal } from '../../common/authorization/principal.types.js';
import { AppError } from '../../common/errors/app.error.js';
import type { Preconditions } from '../../common/http/preconditions/preconditions.decorator.js';
import { decodeCursor, encodeCursor } from '../../common/pagination/cursor.js';
import { type Page, toPage } from '../../common/pagination/page.js';
import {
  assertOffsetOrCursor,
  DEFAULT_LIMIT,
  type PageQuery,
} from '../../common/pagination/page-query.dto.js';
import { AuditLog } from '../../platform/audit-log/audit-log.service.js';
import { UnitOfWork } from '../../platform/database/transactions/unit-of-work.js';
import { DomainEventsService } from '../../platform/domain-events/domain-events.service.js';
import { RoleChanged } from './events/role-changed.event.js';
import { RolesRepository, type RoleWithPermissions } from './roles.repository.js';

/** The role of a new user for whom no roles were given. Granting it to a new user requires no permission. */
export const DEFAULT_ROLE = 'user';
/** The maximum number of roles, above any organization's needs. */
const MAX_ROLES = 200;
const ABOVE_CALLER = 'This user holds a permission that you do not hold';
const SCOPE = { list: 'roles' };

/** A request to set the permissions of a role. */
interface PutRole {
  readonly name: string;
  readonly permissions: readonly Permission[];
  readonly caller: Principal;
  readonly condition: Preconditions | null;
}

/** Manages roles and checks who may grant them. */
@Injectable()
export class RolesService {
  constructor(
    private readonly repository: RolesRepository,
    private readonly unitOfWork: UnitOfWork,
    private readonly audit: AuditLog,
    private readonly events: DomainEventsService,
  ) {}

  async list(query: PageQuery): Promise<Page<RoleWithPermissions>> {
    assertOffsetOrCursor(query);
    const { limit = DEFAULT_LIMIT, offset = 0, cursor } = query;
    const after = cursor === undefined ? '' : decodeCursor(cursor, SCOPE).key;
    const rows = await this.repository.findPage(after, limit + 1, offset);
    return toPage(
      rows,
      query,
      (last) => encodeCursor({ key: last.name, id: NIL_UUID }, SCOPE),
      () => this.repository.count(),
    );
  }

  /** Returns the role. @throws AppError `NOT_FOUND` */
  async get(name: string): Promise<RoleWithPermissions> {
    const [role] = await this.repository.findByNames([name]);
    if (!role) throw new AppError('NOT_FOUND');
    return role;
  }

  /**
   * Creates a role or replaces its permissions. A change affects every holder of the role, so the caller must
   * be allowed to act on each of them.
   * @throws AppError `FORBIDDEN` when the caller would grant a permission that the caller lacks, or when a
   * holder of the role has one
   * @throws AppError `PRECONDITION_FAILED`
   * @throws AppError `CONFLICT` for a role that ships with the product
   */
  put({ name, permissions, caller, condition }: PutRole): Promise<RoleWithPermissions> {
    return this.unitOfWork.run(async () => {
      await this.repository.lockTable();
      await this.repository.lockForUpdate(name);
      const [before] = await this.repository.findByNames([name]);
      await this.assertHasPermissions(
        permissions.filter((permission) => !before?.permissions.includes(permission)),
        caller,
      );
      condition?.assertWrite(before ?? null);
      if (before?.shipped)
        throw new AppError('CONFLICT', { message: 'This role ships with the product and cannot be changed' });
      if (!before) await this.create(name);
      if (before && permissions.toSorted().join() === before.permissions.join()) return before;
      if (before) await this.assertHoldersNotAbove(name, caller);
      await this.repository.replacePermissions(name, permissions);
      await this.audit.record({
        action: 'role.update',
        target: { type: 'role', id: name },
        changes: { permissions: { from: before?.permissions ?? null, to: permissions } },
      });
      await this.events.publish(new RoleChanged(name));
      return this.get(name);
    });
  }

  /**
   * Deletes a role that no user has. Waits for transactions that are granting it. Later ones refuse it as unknown.
   * @throws AppError `NOT_FOUND`, `PRECONDITION_FAILED`
   * @throws AppError `CONFLICT` for a role that ships with the product, or that a user has
   */
  async delete(name: string, condition: Preconditions | null): Promise<void> {
    await this.unitOfWork.run(async () => {
      await this.repository.lockTable();
      await this.repository.lockForUpdate(name);
      const role = await this.get(name);
      condition?.assertWrite(role);
      if (role.shipped)
        throw new AppError('CONFLICT', { message: 'This role ships with the product and cannot be deleted' });
      if (await this.repository.isAssigned(name))
        throw new AppError('CONFLICT', { message: 'A user has this role. Revoke it from every user first' });
      await this.repository.delete(name);
      await this.audit.record({
        action: 'role.delete',
        target: { type: 'role', id: name },
        changes: { permissions: { from: role.permissions, to: null } },
      });
      await this.events.publish(new RoleChanged(name));
    });
  }

  /**
   * Checks that the caller may change the roles of a user and grant these ones. Locks their permissions until the
   * unit of work ends.
   * @throws AppError `VALIDATION_ERROR` for an unknown role
   * @throws AppError `FORBIDDEN` without `roles:grant`, or for a role with a permission that the caller lacks
   */
  async assertGrantable(names: readonly string[], caller: Principal | null): Promise<void> {
    if (!caller?.permissions.has('roles:grant'))
      throw new AppError('FORBIDDEN', { message: 'roles requires the permission roles:grant' });
    if (names.length === 0) return;
    const roles = await this.findLocked(names);
    await this.assertHasPermissions(
      roles.flatMap((role) => role.permissions),
      caller,
    );
    const missing = names.find((name) => !roles.some((role) => role.name === name));
    if (missing !== undefined) throw AppError.invalid('roles', `roles contains the unknown role ${missing}`);
  }

  /**
   * Checks that the caller may create a user with these roles. {@link DEFAULT_ROLE} requires no permission; the
   * others must pass {@link assertGrantable}.
   */
  async assertGrantableToNewUser(names: readonly string[], caller: Principal | null): Promise<void> {
    const granted = names.filter((name) => name !== DEFAULT_ROLE);
    if (granted.length > 0) await this.assertGrantable(granted, caller);
  }

  /**
   * Rejects an action on a user whose roles `names` include a permission that the caller lacks now. Runs in
   * the unit of work that has locked the user's row. Locks the permissions of these roles until it ends.
   * @throws AppError `FORBIDDEN`
   */
  async assertNotAbove(names: readonly string[], caller: Principal): Promise<void> {
    const permissions = (await this.findLocked(names)).flatMap((role) => role.permissions);
    if (await this.hasPermissions(caller, permissions)) return;
    throw new AppError('FORBIDDEN', { message: ABOVE_CALLER });
  }

  private async assertHoldersNotAbove(name: string, caller: Principal): Promise<void> {
    const above = await this.repository.findNamesAbove(await this.currentPermissions(caller));
    if (above.length === 0 || !(await this.repository.isAssignedWith(name, above, caller.userId))) return;
    throw new AppError('FORBIDDEN', {
      message: 'A user with this role holds a permission that you do not hold',
    });
  }

  private async assertHasPermissions(granted: readonly Permission[], caller: Principal): Promise<void> {
    if (await this.hasPermissions(caller, granted)) return;
    throw new AppError('FORBIDDEN', { message: 'You cannot grant a permission that you do not hold' });
  }

  private async hasPermissions(caller: Principal, permissions: readonly Permission[]): Promise<boolean> {
    if (permissions.length === 0) return true;
    const held = await this.currentPermissions(caller);
    return permissions.every((permission) => held.includes(permission));
  }

  /** Returns the permissions that the caller had when the request began and still has. */
  private async currentPermissions({ userId, permissions }: Principal): Promise<Permission[]> {
    return (await this.repository.findPermissionsOfUser(userId)).filter((each) => permissions.has(each));
  }

  /**
   * Loads roles and locks their permissions until the unit of work ends. Shipped roles never change and need
   * no lock.
   */
  private async findLocked(names: readonly string[]): Promise<RoleWithPermissions[]> {
    const roles = await this.repository.findByNames(names);
    if (roles.every(({ shipped }) => shipped)) return roles;
    await this.repository.lockForShare(names);
    return this.repository.findByNames(names);
  }

  private async create(name: string): Promise<void> {
    if ((await this.repository.count()) >= MAX_ROLES) {
      throw new AppError('CONFLICT', { message: `At most ${MAX_ROLES} roles can exist` });
    }
    await this.repository.insert(name);
  }
}
