import { Injectable } from '@nestjs/common';
import type { Principal } from '../../common/authorization/principal.types.js';
import { findCanonicalEmail } from '../../common/email-address.js';
import { AppError } from '../../common/errors/app.error.js';
import { assertTimeKey, decodeCursor, encodeCursor } from '../../common/pagination/cursor.js';
import { type Page, toPage } from '../../common/pagination/page.js';
import { assertOffsetOrCursor, DEFAULT_LIMIT } from '../../common/pagination/page-query.dto.js';
import type { Config } from '../../config/config.js';
import { InjectConfig } from '../../config/config.module.js';
import { PasswordHasher } from '../../platform/crypto/passwords/password.hasher.js';
import { UnitOfWork } from '../../platform/database/transactions/unit-of-work.js';
import { EventStore } from '../../platform/event-store/event-store.js';
import { replayUser } from './history/replay-user.js';
import { assertVisible, isVisible } from './user-rules.js';
import { UserAuthorityPolicy } from './user-authority.policy.js';
import { UserStatisticsService } from './user-statistics.service.js';
import type { ListUsersDto } from './dto/list-users.dto.js';
import type { UserResponse } from './dto/user.response.js';
import { LastLoginBuffer } from './last-login.buffer.js';
import { securityBreaks } from './events/user.event.js';
import { BreachedPasswordsService } from './passwords/breached-passwords.service.js';
import { checkPassword } from './passwords/password.policy.js';
import type { User, UserStatus } from './user.entity.js';
import { sortColumns, type UserOrder } from './listing/users-page.query-builder.js';
import { UsersRepository } from './users.repository.js';

/** Applies to sample users and to users created by an earlier version of the service. */
const BEFORE_HISTORY_MESSAGE = 'The state at that time is unknown because the user is older than its history';

/** Answers queries about users. Commands make the changes. */
@Injectable()
export class UsersService {
  constructor(
    @InjectConfig() private readonly config: Config,
    private readonly repository: UsersRepository,
    private readonly hasher: PasswordHasher,
    private readonly unitOfWork: UnitOfWork,
    private readonly store: EventStore,
    private readonly lastLoginBuffer: LastLoginBuffer,
    private readonly authority: UserAuthorityPolicy,
    private readonly statistics: UserStatisticsService,
    private readonly breachedPasswords: BreachedPasswordsService,
  ) {}

  async list(query: ListUsersDto, caller: Principal): Promise<Page<User>> {
    assertOffsetOrCursor(query);
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

  /**
   * Returns the user. Hides a deleted user from callers without `users:delete`.
   * @throws AppError `NOT_FOUND`
   */
  async get(id: string, caller: Principal): Promise<User> {
    return assertVisible(await this.repository.findById(id), caller);
  }

  /**
   * Returns the user for a caller who is about to act on the user. Locks the row until the unit of work ends.
   * @throws AppError `NOT_FOUND`, `FORBIDDEN` for a user who holds a permission that the caller does not hold
   */
  lockManageable(id: string, caller: Principal): Promise<User> {
    return this.authority.lockManageable(id, caller);
  }

  /**
   * Rebuilds the user as of `at` from events, for a caller who may see the user now.
   * @throws AppError `NOT_FOUND`
   */
  async getAsOf(id: string, at: Date, caller: Principal): Promise<UserResponse> {
    const { createdAt } = await this.get(id, caller);
    const rebuilt = replayUser(await this.store.findStream(id, at));
    if (!rebuilt && at >= createdAt) throw new AppError('NOT_FOUND', { message: BEFORE_HISTORY_MESSAGE });
    const hidden = rebuilt?.status === 'deleted' && !caller.permissions.has('users:delete');
    if (!rebuilt || hidden) throw new AppError('NOT_FOUND');
    // An imported user may be older than its first event.
    rebuilt.created_at = createdAt.toISOString();
    return rebuilt;
  }

  /** Finds the user by address in any spelling. Returns null for text that is not an email address. */
  async findByEmail(email: string): Promise<User | null> {
    const emailKey = findCanonicalEmail(email);
    return emailKey === null ? null : this.repository.findByEmail(emailKey);
  }

  /** Finds the id of the user with this address. Returns null for a user whom the caller may not see. */
  async findVisibleId(email: string, caller: Principal): Promise<string | null> {
    const user = await this.findByEmail(email);
    return user && isVisible(user, caller) ? user.id : null;
  }

  /**
   * Returns the addresses by user id, except those of users whom the caller may not see. Call it with at most a page of
   * ids, and for a caller who may read users.
   */
  async findVisibleEmails(
    ids: readonly string[],
    { permissions }: Principal,
  ): Promise<ReadonlyMap<string, string>> {
    if (ids.length === 0) return new Map();
    return this.repository.findEmails(ids, { withDeleted: permissions.has('users:delete') });
  }

  /** Returns the ids of users, also deleted ones, by canonical address. */
  async findIdsByEmails(emailKeys: readonly string[]): Promise<ReadonlyMap<string, string>> {
    if (emailKeys.length === 0) return new Map();
    const users = await this.repository.findByEmails(emailKeys);
    return new Map(users.map(({ id, emailKey }) => [emailKey, id]));
  }

  /** Returns those of the given ids whose users are erased. */
  async findErased(ids: readonly string[]): Promise<ReadonlySet<string>> {
    return new Set(ids.length === 0 ? [] : await this.repository.findErased(ids));
  }

  /** Enqueues new planner statistics after many users were created. Estimates of totals come from them. */
  async refreshStatistics(): Promise<void> {
    await this.statistics.enqueueRefresh();
  }

  /** Records the sign-in once the unit of work commits. */
  recordSignIn(id: string, at: Date): void {
    this.unitOfWork.afterCommit(() => this.lastLoginBuffer.add(id, at));
  }

  /** Returns true if the user exists, even if deleted, until the user is erased. */
  async exists(id: string): Promise<boolean> {
    return (await this.repository.findById(id)) !== null;
  }

  /** Returns the user if active. */
  async findActive(id: string): Promise<User | null> {
    const user = await this.repository.findById(id);
    return user?.status === 'active' ? user : null;
  }

  /**
   * Returns the user if active. Locks the row until the unit of work ends, so that nobody can disable the
   * user meanwhile.
   */
  async lockActive(id: string): Promise<User | null> {
    const user = await this.repository.findByIdForUpdate(id);
    return user?.status === 'active' ? user : null;
  }

  /** Returns true if the user has since gone through an event that voids earlier requests. */
  hasSecurityBreakSince(id: string, since: Date): Promise<boolean> {
    return this.store.hasHappenedSince(id, securityBreaks, since);
  }

  /**
   * Returns the status of each existing user. With `hold`, locks the rows until the unit of work ends. Take
   * this lock before locking rows that belong to users.
   */
  findStatuses(ids: readonly string[], { hold }: { hold: boolean }): Promise<Map<string, UserStatus>> {
    return this.repository.findStatuses(ids, hold);
  }

  /** Returns the user with the password hash. @throws AppError `NOT_FOUND` */
  async getWithPassword(id: string): Promise<User> {
    const user = await this.repository.findByIdWithPassword(id);
    if (!user) throw new AppError('NOT_FOUND');
    return user;
  }

  /**
   * Hashes a new password.
   * @throws AppError `VALIDATION_ERROR` for `field` if the policy refuses it, it is known from a breach, or it is the
   * current one
   */
  async hashPassword(password: string, user: User, field: string): Promise<string> {
    const refusal = checkPassword(
      { password, email: user.email, name: user.name, product: this.config.PRODUCT_NAME },
      field,
    );
    if (refusal) throw AppError.invalid(field, refusal);
    await this.breachedPasswords.assertNotBreached(password, field, user.id);
    const guess = { password, address: user.emailKey };
    if (user.passwordHash !== null && (await this.hasher.matches(guess, user.passwordHash)))
      throw AppError.invalid(field, `${field} must not be the current password`);
    return this.hasher.hash(password);
  }

  /**
   * Uses up a one-time password. When sign-ins race, one of them gets it.
   * @returns false when it was used, has expired or was replaced
   */
  spendOneTimePassword(id: string, passwordHash: string | null): Promise<boolean> {
    return this.repository.spendOneTimePassword(id, passwordHash);
  }

  /** Stores a new hash of the same password. The user does not change. */
  async renewPasswordHash(id: string, from: string, to: string): Promise<void> {
    await this.repository.renewPasswordHash(id, from, to);
  }
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

/** Rejects a key that is not a time before it reaches a comparison of times. */
function assertSortKey(key: string | undefined, { column }: UserOrder): void {
  if (key !== undefined && column === 'createdAt') assertTimeKey(key);
}
