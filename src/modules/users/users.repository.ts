import { Injectable } from '@nestjs/common';
import type { SelectQueryBuilder } from 'typeorm';
import type { Position } from '../../common/pagination/cursor.js';
import { violatesUnique } from '../../platform/database/database-errors.js';
import { UnitOfWork } from '../../platform/database/unit-of-work.js';
import { likePattern } from '../../common/text.js';
import { User, type UserStatus } from './user.entity.js';

/** Rows that an estimate counts before it asks the planner. */
const COUNTED_ROWS = 1000;
const EMAIL_CONSTRAINT = 'users_email_key_key';

export type NewUser = Pick<
  User,
  'id' | 'email' | 'emailKey' | 'name' | 'nameKey' | 'searchKey' | 'passwordHash' | 'roles'
>;
export type UserChanges = Partial<
  Pick<User, 'name' | 'nameKey' | 'searchKey' | 'disabled' | 'roles'> & { deletedAt: null | (() => string) }
>;

/** The time of the database, whatever the clock of this machine says. */
export const DATABASE_TIME = () => 'clock_timestamp()';

export interface UserFilters {
  readonly search?: string;
  readonly status?: UserStatus;
  readonly role?: string;
}

export const sortColumns = { created_at: 'createdAt', email: 'emailKey', name: 'nameKey' } as const;

export interface UserOrder {
  readonly column: (typeof sortColumns)[keyof typeof sortColumns];
  readonly descending: boolean;
}

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

  findById(id: string): Promise<User | null> {
    return this.users.findOneBy({ id });
  }

  /** Holds the row until the unit of work ends. */
  findByIdForUpdate(id: string): Promise<User | null> {
    return this.users.findOne({ where: { id }, lock: { mode: 'pessimistic_write' } });
  }

  findByEmailWithPassword(emailKey: string): Promise<User | null> {
    return this.users.createQueryBuilder('user').addSelect('user.passwordHash').where({ emailKey }).getOne();
  }

  findByIdWithPassword(id: string): Promise<User | null> {
    return this.users.createQueryBuilder('user').addSelect('user.passwordHash').where({ id }).getOne();
  }

  async renewPasswordHash(id: string, from: string, to: string): Promise<void> {
    await this.users.query('UPDATE users SET password_hash = $3 WHERE id = $1 AND password_hash = $2', [
      id,
      from,
      to,
    ]);
  }

  /** @returns whether the stored hash was still the one in `user` */
  async replacePassword(user: User, passwordHash: string): Promise<boolean> {
    const [, count]: [unknown, number] = await this.users.query(
      `UPDATE users SET password_hash = $2, version = version + 1, updated_at = clock_timestamp()
       WHERE id = $1 AND password_hash IS NOT DISTINCT FROM $3`,
      [user.id, passwordHash, user.passwordHash],
    );
    return count === 1;
  }

  /** Writes `changes` to a row that is held, as its next version. */
  async update(user: User, changes: UserChanges): Promise<User> {
    const result = await this.users
      .createQueryBuilder()
      .update()
      .set({ ...changes, version: user.version + 1, updatedAt: DATABASE_TIME })
      .where({ id: user.id })
      .returning('*')
      .execute();
    return this.hydrate(result.raw);
  }

  /**
   * Stands apart from the row's version, and from its `updated_at`.
   * @returns whether the account is active and has the password of `user`
   */
  async touchLastLogin(user: Pick<User, 'id' | 'passwordHash'>): Promise<boolean> {
    const [, count]: [unknown, number] = await this.users.query(
      `UPDATE users SET last_login_at = clock_timestamp()
       WHERE id = $1 AND status = 'active' AND password_hash IS NOT DISTINCT FROM $2`,
      [user.id, user.passwordHash],
    );
    return count === 1;
  }

  findPage(
    filters: UserFilters,
    order: UserOrder,
    page: { limit: number; offset: number; after: Position | null },
  ): Promise<User[]> {
    const query = this.filtered(filters);
    const direction = order.descending ? 'DESC' : 'ASC';
    if (page.after) {
      const { key, id } = page.after;
      const columns = `(user.${order.column}, user.id)`;
      query.andWhere(`${columns} ${order.descending ? '<' : '>'} (:key, :id)`, { key, id });
    }
    return query
      .orderBy(`user.${order.column}`, direction)
      .addOrderBy('user.id', direction)
      .limit(page.limit)
      .offset(page.offset)
      .getMany();
  }

  count(filters: UserFilters): Promise<number> {
    return this.filtered(filters).getCount();
  }

  /** Exact up to {@link COUNTED_ROWS}, past it the planner's guess: the cost does not grow with the answer. */
  async estimate(filters: UserFilters): Promise<number> {
    const [sql, parameters] = this.filtered(filters).select('1').getQueryAndParameters();
    const counted: [{ rows: number }] = await this.users.query(
      `SELECT count(*)::integer AS rows FROM (${sql} LIMIT ${COUNTED_ROWS + 1}) AS counted`,
      parameters,
    );
    if (counted[0].rows <= COUNTED_ROWS) return counted[0].rows;
    const rows: unknown = await this.users.query(`EXPLAIN (FORMAT JSON) ${sql}`, parameters);
    return plannedRows(rows);
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

  /** The literal conditions repeat the predicates of the partial indexes, which needs them to be proven. */
  private filtered({ search, status, role }: UserFilters): SelectQueryBuilder<User> {
    const query = this.users.createQueryBuilder('user');
    if (status === undefined || status === 'active') query.where(`user.status <> 'deleted'`);
    else query.where(`user.status <> 'active'`);
    if (status !== undefined) query.andWhere('user.status = :status', { status });
    if (search) query.andWhere('user.searchKey LIKE :pattern', { pattern: likePattern(search) });
    if (role !== undefined) query.andWhere('user.roles @> ARRAY[:role]::text[]', { role });
    if (role !== undefined && role !== 'user') query.andWhere(`user.roles <> ARRAY['user']`);
    return query;
  }

  private hydrate(rows: object[]): User {
    const [row] = rows;
    if (!row) throw new Error('the row to write is gone');
    const { driver } = this.users.manager.dataSource;
    return this.users.create(driver.createGeneratedMap(this.users.metadata, row, 0, 1) ?? {});
  }
}

function plannedRows(rows: unknown): number {
  const plan = (rows as [{ 'QUERY PLAN': [{ Plan: { 'Plan Rows': number } }] }])[0];
  return plan['QUERY PLAN'][0].Plan['Plan Rows'];
}
