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
import { RolesService } from '../roles/roles.service.js';
import type { CreateUserDto } from './dto/create-user.dto.js';
import type { ListUsersDto } from './dto/list-users.dto.js';
import type { UpdateUserDto } from './dto/update-user.dto.js';
import { checkPassword } from './password-policy.js';
import { foldedKeys } from './user-keys.js';
import type { User } from './user.entity.js';
import { sortColumns, type UserOrder } from './users-page.js';
import { type Access, type NewUser, type UserChanges, UsersRepository } from './users.repository.js';

const RESTORABLE_DAYS = 30;
const DAY_MS = 86_400_000;
const ADMIN = 'admin';

/** Accounts: the rules of their life, from sign-up to deletion. */
@Injectable()
export class UsersService {
  constructor(
    private readonly repository: UsersRepository,
    private readonly roles: RolesService,
    private readonly hasher: PasswordHasher,
    private readonly unitOfWork: UnitOfWork,
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
      if (name !== undefined && name !== user.name) {
        return { name, ...foldedKeys(name, user.email), disabled };
      }
      return disabled === user.disabled ? null : { disabled };
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
      return wanted.join() === user.roles.join() ? null : { roles: wanted };
    });
  }

  /** Deleting a deleted account again changes nothing. */
  async delete(id: string, caller: Principal, condition: TagCondition | null): Promise<void> {
    await this.change(id, caller, condition, async (user) => {
      if (user.status === 'deleted') return null;
      await this.assertNotLastAdmin(user);
      return { deleted: true };
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
      return { deleted: false };
    });
  }

  /** With its password hash. What is no address at all belongs to nobody. */
  async findForSignIn(email: string): Promise<User | null> {
    const emailKey = findCanonicalEmail(email);
    return emailKey === null ? null : this.repository.findByEmailWithPassword(emailKey);
  }

  recordSignIn(id: string): Promise<void> {
    return this.repository.touchLastLogin(id);
  }

  findAccess(id: string): Promise<Access | null> {
    return this.repository.findAccess(id);
  }

  /** Hashing takes its time: it is done before any row is held. @throws AppError `VALIDATION_ERROR` */
  private async newUser(input: CreateUserDto, roles: string[]): Promise<NewUser> {
    const refusal = checkPassword(input);
    if (refusal) throw AppError.invalid('password', refusal);
    return {
      id: newId(),
      ...foldedKeys(input.name, input.email),
      email: input.email,
      emailKey: canonicalEmail(input.email),
      name: input.name,
      passwordHash: await this.hasher.hash(input.password),
      roles,
    };
  }

  /** @throws AppError `CONFLICT` when the address is taken */
  private async insert(user: NewUser): Promise<User> {
    const inserted = await this.repository.insert(user);
    if (!inserted) throw new AppError('CONFLICT', { message: 'This e-mail address is taken' });
    return inserted;
  }

  /** One change of one account: its row is held from before the condition is tested. */
  private change(
    id: string,
    caller: Principal,
    condition: TagCondition | null,
    decide: (user: User) => UserChanges | null | Promise<UserChanges | null>,
  ): Promise<User> {
    return this.unitOfWork.run(async () => {
      const user = assertVisible(await this.repository.findByIdForUpdate(id), caller);
      assertMatch(condition, user.version);
      const changes = await decide(user);
      return changes ? this.repository.update(user, changes) : user;
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
