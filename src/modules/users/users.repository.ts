import { Injectable } from '@nestjs/common';
import { IsNull } from 'typeorm';
import type { Config } from '../../config/config.js';
import { InjectConfig } from '../../config/config.module.js';
import { violatesUnique } from '../../platform/database/database.errors.js';
import { prepared } from '../../platform/database/driver/statements/prepared.js';
import { insertReturning, returnedEntity } from '../../platform/database/returned-entity.js';
import { PointReader } from '../../platform/database/point.reader.js';
import { SqlRunner } from '../../platform/database/sql.runner.js';
import { UnitOfWork } from '../../platform/database/transactions/unit-of-work.js';
import { User, USER_COLUMNS, type UserStatus } from './user.entity.js';
import {
  estimateMatching,
  findPage,
  matchingUsers,
  type UserFilters,
  type UserPage,
} from './listing/users-page.query-builder.js';

const EMAIL_CONSTRAINT = 'users_email_key_key';

export type NewUser = Pick<
  User,
  | 'id'
  | 'email'
  | 'emailKey'
  | 'name'
  | 'nameKey'
  | 'searchKey'
  | 'locale'
  | 'passwordHash'
  | 'roles'
  | 'emailVerified'
>;
export type ImportedUser = NewUser &
  Pick<User, 'disabled'> & {
    /** In ISO 8601; null for the time of the insert. */
    readonly createdAt: string | null;
  };
export type InsertedUser = Pick<User, 'id' | 'updatedAt'>;
export type UserChanges = Partial<
  Pick<
    User,
    | 'name'
    | 'nameKey'
    | 'searchKey'
    | 'locale'
    | 'disabled'
    | 'roles'
    | 'email'
    | 'emailKey'
    | 'emailVerified'
  > & { deleted: boolean }
>;

/** Hides erased users. Their placeholder address is not a valid one, so no caller can look it up. */
const NOT_ERASED = { erasedAt: IsNull() };
/**
 * Joins roles with commas, which role names cannot contain. LEAST ignores null. Creation and update have one time, that
 * of the transaction, as for every other new user.
 */
const INSERT_ALL = prepared(
  `INSERT INTO users (id, email, email_key, name, name_key, search_key, password_hash, roles, email_verified, disabled,
                      created_at, locale, changed_epoch)
   SELECT id, email, email_key, name, name_key, search_key, password_hash, string_to_array(roles, ','),
          email_verified, disabled, least(created_at, now()), locale, (SELECT current_epoch())
   FROM unnest($1::uuid[], $2::text[], $3::text[], $4::text[], $5::text[], $6::text[], $7::text[], $8::text[],
               $9::boolean[], $10::boolean[], $11::timestamptz[], $12::text[])
        AS given (id, email, email_key, name, name_key, search_key, password_hash, roles, email_verified, disabled,
                  created_at, locale)
   ORDER BY email_key COLLATE "C"
   ON CONFLICT (email_key) DO NOTHING
   RETURNING id, updated_at AS "updatedAt"`,
);

const FIND_ALL = prepared(
  `SELECT ${USER_COLUMNS} FROM users WHERE id = ANY ($1::uuid[]) AND erased_at IS NULL`,
);

const FIND_EMAILS = prepared(
  `SELECT id, email FROM users
   WHERE id = ANY ($1::uuid[]) AND erased_at IS NULL AND ($2::boolean OR status <> 'deleted')`,
);

const FIND_FOR_UPDATE = prepared(
  `SELECT ${USER_COLUMNS} FROM users WHERE id = $1 AND erased_at IS NULL FOR UPDATE`,
);

/** Selects active admins. The second condition lets PostgreSQL use the index of roles. */
export const ACTIVE_ADMIN = `roles @> ARRAY['admin'] AND roles <> ARRAY['user'] AND status = 'active'`;
/** Selects users who can sign in again and again. A password is the only way in; further ways belong here. */
const CAN_SIGN_IN = 'password_hash IS NOT NULL AND password_expires_at IS NULL';

/** A null leaves its column as it is, so that one constant text serves every change. */
const UPDATE = prepared(
  `UPDATE users
   SET name = coalesce($3, name), name_key = coalesce($4, name_key), search_key = coalesce($5, search_key),
       email = coalesce($6, email), email_key = coalesce($7, email_key),
       email_verified = coalesce($8, email_verified), roles = coalesce($9, roles), disabled = coalesce($10, disabled),
       deleted_at = CASE $11::boolean WHEN true THEN clock_timestamp() WHEN false THEN NULL ELSE deleted_at END,
       locale = coalesce($12, locale),
       version = version + $2, updated_at = clock_timestamp()
   WHERE id = $1
   RETURNING ${USER_COLUMNS}`,
);

@Injectable()
export class UsersRepository {
  private readonly reader: PointReader<User>;

  constructor(
    private readonly unitOfWork: UnitOfWork,
    private readonly sql: SqlRunner,
    @InjectConfig() config: Config,
  ) {
    this.reader = new PointReader((ids) => sql.rows<User>(FIND_ALL, [ids]), config.REQUEST_TIMEOUT_MS);
  }

  /**
   * Inserts a user.
   * @returns null when the address is taken. The unique constraint decides between concurrent inserts
   */
  async insert(user: NewUser): Promise<User | null> {
    try {
      return await insertReturning(this.users, user);
    } catch (error) {
      if (violatesUnique(error, EMAIL_CONSTRAINT)) return null;
      throw error;
    }
  }

  /**
   * Inserts in email order, as every bulk insert does, so that concurrent imports cannot deadlock.
   * @returns the users whose address was free, with their times
   */
  insertAll(users: readonly ImportedUser[]): Promise<InsertedUser[]> {
    return this.sql.rows(INSERT_ALL, [
      users.map(({ id }) => id),
      users.map(({ email }) => email),
      users.map(({ emailKey }) => emailKey),
      users.map(({ name }) => name),
      users.map(({ nameKey }) => nameKey),
      users.map(({ searchKey }) => searchKey),
      users.map(({ passwordHash }) => passwordHash),
      users.map(({ roles }) => roles.join()),
      users.map(({ emailVerified }) => emailVerified),
      users.map(({ disabled }) => disabled),
      users.map(({ createdAt }) => createdAt),
      users.map(({ locale }) => locale),
    ]);
  }

  findById(id: string): Promise<User | null> {
    return this.unitOfWork.isShareable ? this.reader.find(id) : this.users.findOneBy({ id, ...NOT_ERASED });
  }

  /** Locks the row until the unit of work ends. */
  findByIdForUpdate(id: string): Promise<User | null> {
    return this.sql.maybeOne<User>(FIND_FOR_UPDATE, [id]);
  }

  findByEmail(emailKey: string): Promise<User | null> {
    return this.users.findOneBy({ emailKey, ...NOT_ERASED });
  }

  /** Returns the users with these canonical addresses, in id order. */
  findByEmails(emailKeys: readonly string[]): Promise<Pick<User, 'id' | 'emailKey' | 'status'>[]> {
    return this.sql.rows(
      `SELECT id, email_key AS "emailKey", status FROM users
       WHERE email_key = ANY ($1::text[]) AND erased_at IS NULL ORDER BY id`,
      [emailKeys],
    );
  }

  findByIdWithPassword(id: string): Promise<User | null> {
    return this.users
      .createQueryBuilder('user')
      .addSelect('user.passwordHash')
      .where({ id, ...NOT_ERASED })
      .getOne();
  }

  async renewPasswordHash(id: string, from: string, to: string): Promise<void> {
    await this.sql.execute('UPDATE users SET password_hash = $3 WHERE id = $1 AND password_hash = $2', [
      id,
      from,
      to,
    ]);
  }

  /**
   * Replaces the hash and raises the version.
   * @returns null when the stored hash differs from the one in `user`
   */
  async replacePassword(user: User, passwordHash: string): Promise<User | null> {
    const rows = await this.sql.rows<object>(
      `UPDATE users SET password_hash = $2, version = version + 1, updated_at = clock_timestamp()
       WHERE id = $1 AND password_hash IS NOT DISTINCT FROM $3 RETURNING *`,
      [user.id, passwordHash, user.passwordHash],
    );
    return rows.length === 0 ? null : returnedEntity(this.users, rows);
  }

  /** Gives a locked user a password for one sign-in within `lifetimeSeconds`, and raises the version. */
  async setOneTimePassword({ id }: User, passwordHash: string, lifetimeSeconds: number): Promise<User> {
    const rows = await this.sql.rows<object>(
      `UPDATE users SET password_hash = $2, password_expires_at = clock_timestamp() + make_interval(secs => $3::integer),
              version = version + 1, updated_at = clock_timestamp()
       WHERE id = $1 RETURNING *`,
      [id, passwordHash, lifetimeSeconds],
    );
    return returnedEntity(this.users, rows);
  }

  /**
   * Uses up a one-time password. When sign-ins race, one of them gets it. The hash stays, because a change of the
   * password asks for the current one.
   * @returns false when it was used, has expired or was replaced
   */
  async spendOneTimePassword(id: string, passwordHash: string | null): Promise<boolean> {
    const spent = await this.sql.affected(
      `UPDATE users SET password_expires_at = clock_timestamp()
       WHERE id = $1 AND password_hash = $2 AND password_expires_at > clock_timestamp()`,
      [id, passwordHash],
    );
    return spent > 0;
  }

  /**
   * Stores a first hash and raises the version.
   * @returns null when the user has a password
   */
  async setFirstPassword({ id }: User, passwordHash: string): Promise<User | null> {
    return this.sql.maybeOne<User>(
      `UPDATE users SET password_hash = $2, version = version + 1, updated_at = clock_timestamp()
       WHERE id = $1 AND password_hash IS NULL RETURNING ${USER_COLUMNS}`,
      [id, passwordHash],
    );
  }

  /**
   * Writes `changes` to a locked row and raises its version by `versions`.
   * @returns null when the address is taken
   */
  async update({ id }: User, changes: UserChanges, versions: number): Promise<User | null> {
    const { name, nameKey, searchKey, email, emailKey, emailVerified, roles, disabled, deleted, locale } =
      changes;
    const values = [
      name,
      nameKey,
      searchKey,
      email,
      emailKey,
      emailVerified,
      roles,
      disabled,
      deleted,
      locale,
    ];
    try {
      return await this.sql.one<User>(UPDATE, [id, versions, ...values]);
    } catch (error) {
      if (violatesUnique(error, EMAIL_CONSTRAINT)) return null;
      throw error;
    }
  }

  /**
   * Blanks the personal columns of a locked row and raises its version. The placeholder values are not a
   * valid address or name. The list recognizes an erased user by the empty search key.
   */
  async erase(user: User): Promise<User> {
    const rows = await this.sql.rows<object>(
      `UPDATE users SET email = 'erased:' || id, email_key = 'erased:' || id, name = '', name_key = '', search_key = '',
              password_hash = NULL, roles = ARRAY['user'], email_verified = false, last_login_at = NULL, locale = 'en',
              disabled = false, deleted_at = coalesce(deleted_at, clock_timestamp()), erased_at = clock_timestamp(),
              version = version + 1, updated_at = clock_timestamp()
       WHERE id = $1 RETURNING *`,
      [user.id],
    );
    return returnedEntity(this.users, rows);
  }

  /** Returns users deleted more than `days` days ago and not yet erased, oldest deletion first. */
  async findDeletedBefore(days: number, limit: number): Promise<string[]> {
    const rows = await this.sql.rows<{ id: string }>(
      // Filters on index columns first, so that PostgreSQL fetches no row of users erased long ago.
      `WITH deleted AS MATERIALIZED (
         SELECT id FROM users WHERE status <> 'active' AND status = 'deleted' AND search_key <> '')
       SELECT id FROM deleted JOIN users USING (id)
       WHERE deleted_at < clock_timestamp() - make_interval(days => $1) AND erased_at IS NULL
       ORDER BY deleted_at LIMIT $2`,
      [days, limit],
    );
    return rows.map(({ id }) => id);
  }

  /** Returns those of the given ids whose users exist and are not erased. */
  async findNotErased(ids: readonly string[]): Promise<string[]> {
    const rows = await this.sql.rows<{ id: string }>(
      'SELECT id FROM users WHERE id = ANY ($1) AND erased_at IS NULL',
      [ids],
    );
    return rows.map(({ id }) => id);
  }

  /** Returns those of the given ids whose users are erased. */
  async findErased(ids: readonly string[]): Promise<string[]> {
    const rows = await this.sql.rows<{ id: string }>(
      'SELECT id FROM users WHERE id = ANY ($1::uuid[]) AND erased_at IS NOT NULL',
      [ids],
    );
    return rows.map(({ id }) => id);
  }

  /** Resamples the planner statistics of the user tables, which removes samples of erased users. */
  async refreshStatistics(): Promise<void> {
    await this.sql.execute('SELECT sample_accounts_anew()');
  }

  /**
   * Returns the status of each existing user. With `hold`, locks the rows (`FOR SHARE`) in id order until the
   * unit of work ends.
   */
  async findStatuses(ids: readonly string[], hold: boolean): Promise<Map<string, UserStatus>> {
    const rows = await this.sql.rows<Pick<User, 'id' | 'status'>>(
      `SELECT id, status FROM users WHERE id = ANY ($1) ORDER BY id ${hold ? 'FOR SHARE' : ''}`,
      [ids],
    );
    return new Map(rows.map(({ id, status }) => [id, status]));
  }

  /** Returns the addresses by id, without those of erased users. */
  async findEmails(
    ids: readonly string[],
    { withDeleted }: { withDeleted: boolean },
  ): Promise<Map<string, string>> {
    const rows = await this.sql.rows<Pick<User, 'id' | 'email'>>(FIND_EMAILS, [ids, withDeleted]);
    return new Map(rows.map(({ id, email }) => [id, email]));
  }

  /** Changes neither `version` nor `updated_at`. Locks in id order, as every multi-row lock does. */
  async touchLastLogins(logins: ReadonlyMap<string, Date>): Promise<void> {
    await this.sql.execute(
      `WITH login AS (
         SELECT id, login.at FROM unnest($1::uuid[], $2::timestamptz[]) AS login (id, at)
         JOIN users USING (id) WHERE erased_at IS NULL ORDER BY id FOR NO KEY UPDATE OF users)
       UPDATE users SET last_login_at = greatest(last_login_at, login.at) FROM login WHERE users.id = login.id`,
      [[...logins.keys()], [...logins.values()]],
    );
  }

  findPage(page: UserPage): Promise<User[]> {
    return findPage(this.users, this.sql, page);
  }

  count(filters: UserFilters): Promise<number> {
    return matchingUsers(this.users, filters).getCount();
  }

  estimate(filters: UserFilters): Promise<number> {
    return estimateMatching(this.users, this.sql, filters);
  }

  /**
   * Serializes the changes that could remove the last admin, so that the second one sees the result of the
   * first. Uses the row of the `admin` role as the lock.
   */
  async lockAdmins(): Promise<void> {
    await this.sql.defer(`SELECT 1 FROM roles WHERE name = 'admin' FOR NO KEY UPDATE`);
  }

  /** Returns true if an active admin other than `exceptId` exists, also one who cannot sign in. */
  existsActiveAdmin(exceptId: string | null): Promise<boolean> {
    return this.existsOther(exceptId, ACTIVE_ADMIN);
  }

  /** Returns true if an active admin other than `exceptId` can sign in. */
  existsAdminWhoCanSignIn(exceptId: string | null): Promise<boolean> {
    return this.existsOther(exceptId, `${ACTIVE_ADMIN} AND ${CAN_SIGN_IN}`);
  }

  private async existsOther(exceptId: string | null, condition: string): Promise<boolean> {
    const row = await this.sql.maybeOne<object>(
      `SELECT 1 FROM users WHERE ${condition} AND id IS DISTINCT FROM $1 LIMIT 1`,
      [exceptId],
    );
    return row !== null;
  }

  private get users() {
    return this.unitOfWork.manager.getRepository(User);
  }
}
