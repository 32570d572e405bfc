import { Injectable } from '@nestjs/common';
import type { Principal } from '../../common/authorization/principal.js';
import { canonicalEmail, findCanonicalEmail } from '../../common/email-address.js';
import { AppError } from '../../common/errors/app-error.js';
import { assertMatch, type TagCondition } from '../../common/http/entity-tag.js';
import { newId } from '../../common/ids.js';
import { assertTimeKey, decodeCursor, encodeCursor } from '../../common/pagination/cursor.js';
import { type Page, toPage } from '../../common/pagination/page.js';
import { assertOneWayToPage, DEFAULT_LIMIT } from '../../common/pagination/page-query.dto.js';
import { PasswordHasher } from '../../platform/crypto/password-hasher.js';
import { UnitOfWork } from '../../platform/database/unit-of-work.js';
import { DomainEvents } from '../../platform/events/domain-events.js';
import { RolesService } from '../roles/roles.service.js';
import type { CreateUserDto } from './dto/create-user.dto.js';
import type { ListUsersDto } from './dto/list-users.dto.js';
import type { UpdateUserDto } from './dto/update-user.dto.js';
import { UserEvent, type UserEventType, userEventTypes } from './events/user-events.js';
import { LastLogins } from './last-logins.js';
import { checkPassword } from './password-policy.js';
import { foldedKeys } from './user-keys.js';
import type { User } from './user.entity.js';
import { sortColumns, type UserOrder } from './users-page.js';
import { type NewUser, type UserChanges, UsersRepository } from './users.repository.js';

const RESTORABLE_DAYS = 30;
const DAY_MS = 86_400_000;
const ADMIN = 'admin';

interface Change {
  readonly changes: UserChanges;
  readonly events: readonly UserEventType[];
}

/** Accounts: the rules of their life, from sign-up to deletion. */
@Injectable()
export class UsersService {
  constructor(
    private readonly repository: UsersRepository,
    private readonly roles: RolesService,
    private readonly hasher: PasswordHasher,
    private readonly unitOfWork: UnitOfWork,
    private readonly events: DomainEvents,
    private readonly lastLogins: LastLogins,
  ) {}

  async create(input: CreateUserDto): Promise<User> {
    return this.insert(await this.newUser(input, ['user']));
  }

  /** Unless there is an active admin: of instances that start at once, one makes it. @returns null then */
  async createFirstAdministrator(input: CreateUserDto): Promise<User | null> {
    const user = await this.newUser(input, [ADMIN, 'user']);
    return this.unitOfWork.run(async () => {
      await this.repository.lockAdmins();
      return (await this.repository.existsActiveAdmin(null)) ? null : this.insert(user);
    });
  }

  async list(query: ListUsersDto, caller: Principal): Promise<Page<User>> {
    assertOneWayToPage(query);
    if (query.status === 'deleted' && !caller.permissions.has('users:delete'))
      throw new AppError('FORBIDDEN');
    const { search, status, role, sort = 'created_at', limit = DEFAULT_LIMIT, offset = 0 } = query;
    const filters = { search, status, role };
    const scope = { list: 'users', ...filters, sort };
    const order = orderOf(sort);
    const after = query.cursor === undefined ? null : decodeCursor(query.cursor, scope);
    assertSortKey(after?.key, order);
    const rows = await this.repository.findPage({ filters, order, limit: limit + 1, offset, after });
    return toPage(
      rows,
      query,
      (last) => encodeCursor({ key: sortKey(last, order), id: last.id }, scope),
      (kind) => (kind === 'exact' ? this.repository.count(filters) : this.repository.estimate(filters)),
    );
  }

  /** A deleted account is there only for those who may restore it. @throws AppError `NOT_FOUND` */
  async get(id: string, caller: Principal): Promise<User> {
    return assertVisible(await this.repository.findById(id), caller);
  }

  update(id: string, input: UpdateUserDto, caller: Principal, condition: TagCondition | null): Promise<User> {
    return this.change(id, caller, condition, async (user) => {
      assertNotDeleted(user);
      const { name, status } = input;
      const disabled = status === undefined ? user.disabled : status === 'disabled';
      if (disabled && !user.disabled) await this.assertNotLastAdmin(user);
      const renamed = name !== undefined && name !== user.name;
      const events: UserEventType[] = renamed ? [userEventTypes.updated] : [];
      if (disabled !== user.disabled)
        events.push(disabled ? userEventTypes.disabled : userEventTypes.enabled);
      const changes = renamed ? { name, ...foldedKeys(name, user.email), disabled } : { disabled };
      return events.length === 0 ? null : { changes, events };
    });
  }

  setRoles(id: string, roles: string[], caller: Principal, condition: TagCondition | null): Promise<User> {
    if (!condition) throw new AppError('PRECONDITION_REQUIRED');
    const wanted = roles.toSorted();
    // What is not allowed (403) or makes no sense (400) is said before the condition is judged (412).
    return this.change(id, caller, null, async (user) => {
      assertNotDeleted(user);
      const added = wanted.filter((role) => !user.roles.includes(role));
      await this.roles.assertGrantable(added, caller);
      assertMatch(condition, user.version);
      if (user.roles.includes(ADMIN) && !wanted.includes(ADMIN)) await this.assertNotLastAdmin(user);
      if (wanted.join() === user.roles.join()) return null;
      return { changes: { roles: wanted }, events: [userEventTypes.rolesChanged] };
    });
  }

  /** Deleting a deleted account again changes nothing. */
  async delete(id: string, caller: Principal, condition: TagCondition | null): Promise<void> {
    await this.change(id, caller, condition, async (user) => {
      if (user.status === 'deleted') return null;
      await this.assertNotLastAdmin(user);
      return { changes: { deleted: true }, events: [userEventTypes.deleted] };
    });
  }

  restore(id: string, caller: Principal): Promise<User> {
    return this.change(id, caller, null, (user) => {
      if (!user.deletedAt) throw new AppError('CONFLICT', { message: 'The account is not deleted' });
      if (Date.now() - user.deletedAt.getTime() > RESTORABLE_DAYS * DAY_MS) {
        throw new AppError('CONFLICT', {
          message: `The account was deleted more than ${RESTORABLE_DAYS} days ago`,
        });
      }
      return { changes: { deleted: false }, events: [userEventTypes.restored] };
    });
  }

  /** With its password hash. What is no address at all belongs to nobody. */
  async findForSignIn(email: string): Promise<User | null> {
    const emailKey = findCanonicalEmail(email);
    return emailKey === null ? null : this.repository.findByEmailWithPassword(emailKey);
  }

  /**
   * Holds the account until the unit of work ends.
   * @returns whether it is still active, and its password still the one in `user`
   */
  async recordSignIn(user: Pick<User, 'id' | 'passwordHash'>): Promise<boolean> {
    const at = await this.repository.findSignInTime(user);
    if (at) this.unitOfWork.afterCommit(() => this.lastLogins.gather(user.id, at));
    return at !== null;
  }

  /** The account, if it may act. */
  async findActive(id: string): Promise<User | null> {
    const user = await this.repository.findById(id);
    return user?.status === 'active' ? user : null;
  }

  /** With its password hash. @throws AppError `NOT_FOUND` */
  async getWithPassword(id: string): Promise<User> {
    const user = await this.repository.findByIdWithPassword(id);
    if (!user) throw new AppError('NOT_FOUND');
    return user;
  }

  /** @throws AppError `VALIDATION_ERROR` of that field when the policy refuses the password */
  hashPassword(password: string, { email, name }: User, field: string): Promise<string> {
    const refusal = checkPassword({ password, email, name }, field);
    if (refusal) throw AppError.invalid(field, refusal);
    return this.hasher.hash(password);
  }

  /**
   * The address has proven to be read by the account's owner. It is not made the account's own: one that it
   * had before must not come back.
   * @returns whether the account is active, and has that address
   */
  verifyEmail(id: string, email: string): Promise<boolean> {
    return this.unitOfWork.run(async () => {
      const user = await this.repository.findByIdForUpdate(id);
      if (user?.status !== 'active' || user.email !== email) return false;
      if (user.emailVerified) return true;
      await this.repository.update(user, { emailVerified: true });
      await this.events.publish(new UserEvent(userEventTypes.emailConfirmed, id));
      return true;
    });
  }

  /**
   * The address that was asked for is the account's from now on, and verified.
   * @throws AppError `CONFLICT` when another account has it by now, `NOT_FOUND` when this one is not active
   */
  async changeEmail(id: string, email: string): Promise<void> {
    await this.unitOfWork.run(async () => {
      const user = await this.repository.findByIdForUpdate(id);
      if (user?.status !== 'active') throw new AppError('NOT_FOUND');
      const emailKey = canonicalEmail(email);
      const changes = { email, emailKey, ...foldedKeys(user.name, email), emailVerified: true };
      if (!(await this.repository.updateEmail(user, changes))) {
        throw new AppError('CONFLICT', { message: 'This e-mail address is taken' });
      }
      await this.events.publish(new UserEvent(userEventTypes.emailConfirmed, id));
    });
  }

  /** The same password, hashed anew: no change of the account. */
  async renewPasswordHash(id: string, from: string, to: string): Promise<void> {
    await this.repository.renewPasswordHash(id, from, to);
  }

  /** Unless somebody else has changed the password since `user` was read. @throws AppError `CONFLICT` */
  async replacePassword(user: User, passwordHash: string): Promise<void> {
    await this.unitOfWork.run(async () => {
      const current = await this.repository.findByIdForUpdate(user.id);
      if (!current || !(await this.repository.replacePassword(user, passwordHash))) {
        throw new AppError('CONFLICT', { message: 'The password has just been changed' });
      }
      await this.events.publish(new UserEvent(userEventTypes.passwordChanged, user.id));
    });
  }

  /** Hashing takes its time: it is done before any row or connection is held. @throws AppError `VALIDATION_ERROR` */
  private async newUser(input: CreateUserDto, roles: string[]): Promise<NewUser> {
    const refusal = checkPassword(input);
    if (refusal) throw AppError.invalid('password', refusal);
    return {
      id: newId(),
      ...foldedKeys(input.name, input.email),
      email: input.email,
      emailKey: canonicalEmail(input.email),
      name: input.name,
      passwordHash: await this.unitOfWork.beforehand(() => this.hasher.hash(input.password)),
      roles,
    };
  }

  /** @throws AppError `CONFLICT` when the address is taken */
  private insert(user: NewUser): Promise<User> {
    return this.unitOfWork.run(async () => {
      const inserted = await this.repository.insert(user);
      if (!inserted) throw new AppError('CONFLICT', { message: 'This e-mail address is taken' });
      await this.events.publish(new UserEvent(userEventTypes.created, user.id));
      return inserted;
    });
  }

  /** One change of one account: its row is held from before the condition is tested. */
  private change(
    id: string,
    caller: Principal,
    condition: TagCondition | null,
    decide: (user: User) => Change | null | Promise<Change | null>,
  ): Promise<User> {
    return this.unitOfWork.run(async () => {
      const user = assertVisible(await this.repository.findByIdForUpdate(id), caller);
      assertMatch(condition, user.version);
      const change = await decide(user);
      if (!change) return user;
      const changed = await this.repository.update(user, change.changes);
      for (const type of change.events) await this.events.publish(new UserEvent(type, id));
      return changed;
    });
  }

  /** Holds for every concurrent change too: they queue for the same lock. @throws AppError `CONFLICT` */
  private async assertNotLastAdmin(user: User): Promise<void> {
    if (!user.roles.includes(ADMIN) || user.status !== 'active') return;
    await this.repository.lockAdmins();
    if (await this.repository.existsActiveAdmin(user.id)) return;
    throw new AppError('CONFLICT', { message: 'This is the last active admin' });
  }
}

function assertNotDeleted(user: User): void {
  if (user.status !== 'deleted') return;
  throw new AppError('CONFLICT', { message: 'The account is deleted: restore it first' });
}

function assertVisible(user: User | null, caller: Principal): User {
  const hidden = user?.status === 'deleted' && !caller.permissions.has('users:delete');
  if (!user || hidden) throw new AppError('NOT_FOUND');
  return user;
}

function orderOf(sort: string): UserOrder {
  const descending = sort.startsWith('-');
  const name = (descending ? sort.slice(1) : sort) as keyof typeof sortColumns;
  return { column: sortColumns[name], descending };
}

function sortKey(user: User, { column }: UserOrder): string {
  const value = user[column];
  return value instanceof Date ? value.toISOString() : value;
}

/** A key that is no time must not reach a comparison of times. */
function assertSortKey(key: string | undefined, { column }: UserOrder): void {
  if (key !== undefined && column === 'createdAt') assertTimeKey(key);
}
