import { Injectable } from '@nestjs/common';
import type { Permission } from '../../common/authorization/permissions.js';
import type { Principal } from '../../common/authorization/principal.js';
import { AppError } from '../../common/errors/app-error.js';
import type { Preconditions } from '../../common/http/preconditions.js';
import { decodeCursor, encodeCursor } from '../../common/pagination/cursor.js';
import { type Page, toPage } from '../../common/pagination/page.js';
import { assertOneWayToPage, DEFAULT_LIMIT, type PageQuery } from '../../common/pagination/page-query.dto.js';
import { AuditTrail } from '../../platform/audit-trail/audit-trail.js';
import { UnitOfWork } from '../../platform/database/unit-of-work.js';
import { DomainEvents } from '../../platform/events/domain-events.js';
import { RoleChanged } from './events/role-events.js';
import { RolesRepository, type RoleWithPermissions } from './roles.repository.js';

/** A bound that no organisation has a reason to reach. */
const MAX_ROLES = 200;
const ABOVE = 'This user holds a permission that you do not hold';
const SCOPE = { list: 'roles' };
/** A cursor ends in an id; the name of a role is its own. */
const NO_ID = '00000000-0000-0000-0000-000000000000';

/** What a role shall permit, who says so, and for which version. */
interface PutRole {
  readonly name: string;
  readonly permissions: readonly Permission[];
  readonly caller: Principal;
  readonly condition: Preconditions | null;
}

/** Roles: what they permit, and who may hand them out. */
@Injectable()
export class RolesService {
  constructor(
    private readonly repository: RolesRepository,
    private readonly unitOfWork: UnitOfWork,
    private readonly audit: AuditTrail,
    private readonly events: DomainEvents,
  ) {}

  async list(query: PageQuery): Promise<Page<RoleWithPermissions>> {
    assertOneWayToPage(query);
    const { limit = DEFAULT_LIMIT, offset = 0, cursor } = query;
    const after = cursor === undefined ? '' : decodeCursor(cursor, SCOPE).key;
    const rows = await this.repository.findPage(after, limit + 1, offset);
    return toPage(
      rows,
      query,
      (last) => encodeCursor({ key: last.name, id: NO_ID }, SCOPE),
      () => this.repository.count(),
    );
  }

  /** @throws AppError `NOT_FOUND` */
  async get(name: string): Promise<RoleWithPermissions> {
    const [role] = await this.repository.findByNames([name]);
    if (!role) throw new AppError('NOT_FOUND');
    return role;
  }

  /**
   * Makes a role, or gives it other permissions. That changes what its holders may do, so the caller must be
   * allowed to act on each of them.
   * @throws AppError `FORBIDDEN` for a permission that the caller would grant and does not hold, and for a
   * holder above the caller, `PRECONDITION_FAILED`, `CONFLICT` for a role that comes with the product
   */
  put({ name, permissions, caller, condition }: PutRole): Promise<RoleWithPermissions> {
    return this.unitOfWork.run(async () => {
      await this.repository.lockTable();
      await this.repository.holdForChange(name);
      const [before] = await this.repository.findByNames([name]);
      await this.assertHeld(
        permissions.filter((permission) => !before?.permissions.includes(permission)),
        caller,
      );
      condition?.assertWrite(before ?? null);
      if (before?.shipped)
        throw new AppError('CONFLICT', { message: 'This role comes with the product and cannot be changed' });
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
   * Keeps what these roles permit as it is until the unit of work ends.
   * @throws AppError `VALIDATION_ERROR` for a role that is not there, `FORBIDDEN` for one above the caller's
   */
  async assertGrantable(names: readonly string[], caller: Principal): Promise<void> {
    if (names.length === 0) return;
    const roles = await this.findHeld(names);
    await this.assertHeld(
      roles.flatMap((role) => role.permissions),
      caller,
    );
    const missing = names.find((name) => !roles.some((role) => role.name === name));
    if (missing !== undefined) throw AppError.invalid('roles', `roles must exist: ${missing} does not`);
  }

  /**
   * Within the unit of work that holds the row of another user, who has the roles `names`. Keeps what these roles
   * permit as it is until that ends.
   * @throws AppError `FORBIDDEN` when they permit anything that the caller may not do now
   */
  async assertNotAbove(names: readonly string[], caller: Principal): Promise<void> {
    const permissions = (await this.findHeld(names)).flatMap((role) => role.permissions);
    if (await this.holds(caller, permissions)) return;
    throw new AppError('FORBIDDEN', { message: ABOVE });
  }

  private async assertHoldersNotAbove(name: string, caller: Principal): Promise<void> {
    const above = await this.repository.findNamesAbove(await this.permissionsNow(caller));
    if (above.length === 0 || !(await this.repository.isHeldWith(name, above, caller.userId))) return;
    throw new AppError('FORBIDDEN', {
      message: 'A user with this role holds a permission that you do not hold',
    });
  }

  private async assertHeld(granted: readonly Permission[], caller: Principal): Promise<void> {
    if (await this.holds(caller, granted)) return;
    throw new AppError('FORBIDDEN', { message: 'Nobody grants a permission that they do not hold' });
  }

  private async holds(caller: Principal, permissions: readonly Permission[]): Promise<boolean> {
    if (permissions.length === 0) return true;
    const held = await this.permissionsNow(caller);
    return permissions.every((permission) => held.includes(permission));
  }

  /** Returns what the caller may do: what they could when the request began, but for what was taken since. */
  private async permissionsNow({ userId, permissions }: Principal): Promise<Permission[]> {
    return (await this.repository.findPermissionsOfUser(userId)).filter((each) => permissions.has(each));
  }

  /** Reads roles that stay as they are until the unit of work ends. Shipped ones never change, and need no lock. */
  private async findHeld(names: readonly string[]): Promise<RoleWithPermissions[]> {
    const roles = await this.repository.findByNames(names);
    if (roles.every(({ shipped }) => shipped)) return roles;
    await this.repository.hold(names);
    return this.repository.findByNames(names);
  }

  private async create(name: string): Promise<void> {
    if ((await this.repository.count()) >= MAX_ROLES) {
      throw new AppError('CONFLICT', { message: `There can be ${MAX_ROLES} roles at most` });
    }
    await this.repository.insert(name);
  }
}
