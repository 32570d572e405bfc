import { Injectable } from '@nestjs/common';
import type { PageKey } from '../../common/pagination/cursor.js';
import { estimateRows } from '../../platform/database/estimate-rows.js';
import { insertReturning } from '../../platform/database/returned-entity.js';
import { SqlRunner } from '../../platform/database/sql.runner.js';
import { UnitOfWork } from '../../platform/database/transactions/unit-of-work.js';
import { Resource } from './resource.entity.js';

/** The name of every resource whose owner is erased. It is neutral and still a valid name. */
const FORGOTTEN_NAME = 'erased';

export type NewResource = Pick<Resource, 'id' | 'type' | 'name' | 'externalId' | 'ownerId'>;

export interface ResourcePage {
  /** The owner whose resources to list, or null for all users. */
  readonly ownerId: string | null;
  readonly limit: number;
  readonly offset: number;
  readonly after: PageKey | null;
}

@Injectable()
export class ResourcesRepository {
  constructor(
    private readonly unitOfWork: UnitOfWork,
    private readonly sql: SqlRunner,
  ) {}

  insert(resource: NewResource): Promise<Resource> {
    return insertReturning(this.resources, resource);
  }

  findById(id: string): Promise<Resource | null> {
    return this.resources.findOneBy({ id });
  }

  /** Locks the row until the unit of work ends. */
  findByIdForUpdate(id: string): Promise<Resource | null> {
    return this.resources.findOne({ where: { id }, lock: { mode: 'pessimistic_write' } });
  }

  /** Returns a page of resources, oldest first. */
  findPage({ ownerId, limit, offset, after }: ResourcePage): Promise<Resource[]> {
    const query = this.resources.createQueryBuilder('resource');
    if (ownerId !== null) query.where({ ownerId });
    if (after) query.andWhere('(resource.createdAt, resource.id) > (:key, :id)', after);
    return query
      .orderBy('resource.createdAt')
      .addOrderBy('resource.id')
      .limit(limit)
      .offset(offset)
      .getMany();
  }

  count(ownerId: string | null): Promise<number> {
    return this.resources.countBy(ownerId === null ? {} : { ownerId });
  }

  estimate(ownerId: string | null): Promise<number> {
    const { condition, values } = ownedBy(ownerId);
    return estimateRows(this.sql, `SELECT 1 FROM resources WHERE ${condition}`, values);
  }

  /**
   * Returns the ids that this user owns. With `hold`, locks every existing row in id order until the unit of
   * work ends, so that concurrent transfers cannot deadlock.
   */
  async findOwned(ids: readonly string[], ownerId: string, hold: boolean): Promise<Set<string>> {
    const rows = await this.sql.rows<Pick<Resource, 'id' | 'ownerId'>>(
      `SELECT id, owner_id AS "ownerId" FROM resources WHERE id = ANY ($1) ORDER BY id ${hold ? 'FOR UPDATE' : ''}`,
      [ids],
    );
    return new Set(rows.filter((row) => row.ownerId === ownerId).map(({ id }) => id));
  }

  /** Changes the owner of locked rows and raises their versions. */
  async changeOwner(ids: readonly string[], ownerId: string): Promise<void> {
    await this.sql.execute(
      `UPDATE resources SET owner_id = $2, version = version + 1, updated_at = clock_timestamp() WHERE id = ANY ($1)`,
      [ids, ownerId],
    );
  }

  /**
   * Erases the names of at most `limit` resources of an erased owner and raises their versions. Locks in id
   * order, as every multi-row lock does.
   * @returns the number of resources whose name was erased
   */
  async forgetNames(ownerId: string, limit: number): Promise<number> {
    return this.sql.affected(
      `WITH named AS (
         SELECT id FROM resources WHERE owner_id = $1 AND (name <> $2 OR external_id IS NOT NULL)
         ORDER BY id LIMIT $3 FOR UPDATE)
       UPDATE resources SET name = $2, external_id = NULL, version = version + 1, updated_at = clock_timestamp()
       FROM named WHERE resources.id = named.id`,
      [ownerId, FORGOTTEN_NAME, limit],
    );
  }

  async deleteById(id: string): Promise<void> {
    await this.resources.delete({ id });
  }

  private get resources() {
    return this.unitOfWork.manager.getRepository(Resource);
  }
}

/** Builds two separate statements rather than one with an OR, because each uses its own index. */
const ownedBy = (ownerId: string | null): { condition: string; values: unknown[] } =>
  ownerId === null ? { condition: 'true', values: [] } : { condition: 'owner_id = $1', values: [ownerId] };
