import { Injectable } from '@nestjs/common';
import { IsNull } from 'typeorm';
import { violatesUnique } from '../../platform/database/database-errors.js';
import { estimateRows } from '../../platform/database/estimate-rows.js';
import { prepared } from '../../platform/database/prepared.js';
import { UnitOfWork } from '../../platform/database/unit-of-work.js';
import { User, type UserStatus } from './user.entity.js';
import { findPage, matchingUsers, type UserFilters, type UserPage } from './users-page.js';

const EMAIL_CONSTRAINT = 'users_email_key_key';

export type NewUser = Pick<
  User,
  'id' | 'email' | 'emailKey' | 'name' | 'nameKey' | 'searchKey' | 'passwordHash' | 'roles'
>;
export type ImportedUser = NewUser & Pick<User, 'emailVerified' | 'disabled'>;
export type InsertedUser = Pick<User, 'id' | 'updatedAt'>;
export type UserChanges = Partial<
  Pick<
    User,
    'name' | 'nameKey' | 'searchKey' | 'disabled' | 'roles' | 'email' | 'emailKey' | 'emailVerified'
  > & { deleted: boolean }
>;

/** An account that is erased is not there any more. Its address is none that anybody could ask for. */
const THERE = { erasedAt: IsNull() };
/** The time of the database, whatever the clock of this machine says. */
const DATABASE_TIME = () => 'clock_timestamp()';
/** A role's name holds no comma. */
const INSERT_ALL = prepared(
  `INSERT INTO users (id, email, email_key, name, name_key, search_key, password_hash, roles, email_verified, disabled,
                      changed_epoch)
   SELECT id, email, email_key, name, name_key, search_key, password_hash, string_to_array(roles, ','),
          email_verified, disabled, (SELECT current_epoch())
   FROM unnest($1::uuid[], $2::text[], $3::text[], $4::text[], $5::text[], $6::text[], $7::text[], $8::text[],
               $9::boolean[], $10::boolean[])
        AS given (id, email, email_key, name, name_key, search_key, password_hash, roles, email_verified, disabled)
   ORDER BY email_key COLLATE "C"
   ON CONFLICT (email_key) DO NOTHING
   RETURNING id, updated_at AS "updatedAt"`,
);

@Injectable()
export class UsersRepository {
  constructor(private readonly unitOfWork: UnitOfWork) {}

  /** @returns null when the address is taken: the constraint decides, whoever else is inserting */
  async insert(user: NewUser): Promise<User | null> {
    try {
      const result = await this.users.createQueryBuilder().insert().values(user).returning('*').execute();
      return this.hydrate(result.raw);
    } catch (error) {
      if (violatesUnique(error, EMAIL_CONSTRAINT)) return null;
      throw error;
    }
  }

  /**
   * In one statement, in the order of addresses, as everybody who inserts many: nobody waits for each other.
   * @returns those whose address was free, with their times
   */
  insertAll(users: readonly ImportedUser[]): Promise<InsertedUser[]> {
    return this.users.query(INSERT_ALL, [
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
    ]);
  }

  findById(id: string): Promise<User | null> {
    return this.users.findOneBy({ id, ...THERE });
  }

  /** Holds the row until the unit of work ends. */
  findByIdForUpdate(id: string): Promise<User | null> {
    return this.users.findOne({ where: { id, ...THERE }, lock: { mode: 'pessimistic_write' } });
  }

  findByEmail(emailKey: string): Promise<User | null> {
    return this.users.findOneBy({ emailKey, ...THERE });
  }

  findByIdWithPassword(id: string): Promise<User | null> {
    return this.users
      .createQueryBuilder('user')
      .addSelect('user.passwordHash')
      .where({ id, ...THERE })
      .getOne();
  }

  async renewPasswordHash(id: string, from: string, to: string): Promise<void> {
    await this.users.query('UPDATE users SET password_hash = $3 WHERE id = $1 AND password_hash = $2', [
      id,
      from,
      to,
    ]);
  }

  /** As its next version. @returns null when the stored hash is no longer the one in `user` */
  async replacePassword(user: User, passwordHash: string): Promise<User | null> {
    const [rows]: [object[], number] = await this.users.query(
      `UPDATE users SET password_hash = $2, version = version + 1, updated_at = clock_timestamp()
       WHERE id = $1 AND password_hash IS NOT DISTINCT FROM $3 RETURNING *`,
      [user.id, passwordHash, user.passwordHash],
    );
    return rows.length === 0 ? null : this.hydrate(rows);
  }

  /** Writes `changes` to a row that is held, so many versions on. @returns null when another account has the address */
  async update(user: User, { deleted, ...changes }: UserChanges, versions: number): Promise<User | null> {
    const deletion = deleted === undefined ? {} : { deletedAt: deleted ? DATABASE_TIME : null };
    try {
      const result = await this.users
        .createQueryBuilder()
        .update()
        .set({ ...changes, ...deletion, version: user.version + versions, updatedAt: DATABASE_TIME })
        .where({ id: user.id })
        .returning('*')
        .execute();
      return this.hydrate(result.raw);
    } catch (error) {
      if (violatesUnique(error, EMAIL_CONSTRAINT)) return null;
      throw error;
    }
  }

  /**
   * Of a row that is held nothing personal stays, as its next version. Nothing there is an address or a
   * name: of a search key that is empty the list takes it for one that is erased.
   */
  async erase(user: User): Promise<User> {
    const [rows]: [object[], number] = await this.users.query(
      `UPDATE users SET email = 'erased:' || id, email_key = 'erased:' || id, name = '', name_key = '', search_key = '',
              password_hash = NULL, roles = ARRAY['user'], email_verified = false, last_login_at = NULL,
              disabled = false, deleted_at = coalesce(deleted_at, clock_timestamp()), erased_at = clock_timestamp(),
              version = version + 1, updated_at = clock_timestamp()
       WHERE id = $1 RETURNING *`,
      [user.id],
    );
    return this.hydrate(rows);
  }

  /** Deleted longer ago than that, and not erased yet; the first of them first. */
  async findDeletedBefore(days: number, limit: number): Promise<string[]> {
    const rows: { id: string }[] = await this.users.query(
      // First what the index tells: of those erased long ago no row is fetched.
      `WITH deleted AS MATERIALIZED (
         SELECT id FROM users WHERE status <> 'active' AND status = 'deleted' AND search_key <> '')
       SELECT id FROM deleted JOIN users USING (id)
       WHERE deleted_at < clock_timestamp() - make_interval(days => $1) AND erased_at IS NULL
       ORDER BY deleted_at LIMIT $2`,
      [days, limit],
    );
    return rows.map(({ id }) => id);
  }

  /** Of these, the accounts that are there. */
  async findNotErased(ids: readonly string[]): Promise<string[]> {
    const rows: { id: string }[] = await this.users.query(
      'SELECT id FROM users WHERE id = ANY ($1) AND erased_at IS NULL',
      [ids],
    );
    return rows.map(({ id }) => id);
  }

  /** What the planner had sampled of accounts, taken from them as they are now. */
  async sampleAnew(): Promise<void> {
    await this.users.query('SELECT sample_accounts_anew()');
  }

  /** Of those that there are. `hold`: the rows until the unit of work ends, in the order of ids, as everybody. */
  async findStatuses(ids: readonly string[], hold: boolean): Promise<Map<string, UserStatus>> {
    const rows: Pick<User, 'id' | 'status'>[] = await this.users.query(
      `SELECT id, status FROM users WHERE id = ANY ($1) ORDER BY id ${hold ? 'FOR SHARE' : ''}`,
      [ids],
    );
    return new Map(rows.map(({ id, status }) => [id, status]));
  }

  /** Stands apart from each row's version, and from its `updated_at`. Locks in the order of ids, as everybody. */
  async touchLastLogins(logins: ReadonlyMap<string, Date>): Promise<void> {
    await this.users.query(
      `WITH login AS (
         SELECT id, login.at FROM unnest($1::uuid[], $2::timestamptz[]) AS login (id, at)
         JOIN users USING (id) WHERE erased_at IS NULL ORDER BY id FOR NO KEY UPDATE OF users)
       UPDATE users SET last_login_at = greatest(last_login_at, login.at) FROM login WHERE users.id = login.id`,
      [[...logins.keys()], [...logins.values()]],
    );
  }

  findPage(page: UserPage): Promise<User[]> {
    return findPage(this.users, page);
  }

  count(filters: UserFilters): Promise<number> {
    return matchingUsers(this.users, filters).getCount();
  }

  estimate(filters: UserFilters): Promise<number> {
    const [sql, parameters] = matchingUsers(this.users, filters).select('1').getQueryAndParameters();
    return estimateRows(this.unitOfWork.manager, sql, parameters);
  }

  /**
   * Makes the changes that could leave no admin wait for each other: whoever comes second sees what
   * the first has done. The role's row serves as the lock.
   */
  async lockAdmins(): Promise<void> {
    await this.users.query(`SELECT 1 FROM roles WHERE name = 'admin' FOR NO KEY UPDATE`);
  }

  async existsActiveAdmin(exceptId: string | null): Promise<boolean> {
    const rows: unknown[] = await this.users.query(
      `SELECT 1 FROM users
       WHERE roles @> ARRAY['admin'] AND roles <> ARRAY['user'] AND status = 'active' AND id IS DISTINCT FROM $1
       LIMIT 1`,
      [exceptId],
    );
    return rows.length > 0;
  }

  private get users() {
    return this.unitOfWork.manager.getRepository(User);
  }

  private hydrate(rows: object[]): User {
    const [row] = rows;
    if (!row) throw new Error('the row to write is gone');
    const { driver } = this.users.manager.dataSource;
    return this.users.create(driver.createGeneratedMap(this.users.metadata, row, 0, 1) ?? {});
  }
}
