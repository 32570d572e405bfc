import { Injectable } from '@nestjs/common';
import { SqlRunner } from '../../../platform/database/sql.runner.js';
import { UnitOfWork } from '../../../platform/database/transactions/unit-of-work.js';
import { AuditKey } from './audit-key.entity.js';

/** "akey" in ASCII, the key of the advisory lock under which the first key is created. */
const KEYS_LOCK = 0x616b6579;
/** The maximum number of keys. Keys are created rarely and by hand. */
const MAX_KEYS = 1000;

export type NewAuditKey = Omit<AuditKey, 'createdAt'>;

@Injectable()
export class AuditKeysRepository {
  constructor(
    private readonly unitOfWork: UnitOfWork,
    private readonly sql: SqlRunner,
  ) {}

  /**
   * Takes the advisory lock until the transaction ends. The service role cannot lock the table itself because
   * it has no right to update it.
   */
  async lock(): Promise<void> {
    await this.sql.execute('SELECT pg_advisory_xact_lock($1)', [KEYS_LOCK]);
  }

  /** Returns all keys ever created, newest first. */
  findAll(): Promise<AuditKey[]> {
    return this.keys.find({ order: { createdAt: 'DESC', kid: 'ASC' }, take: MAX_KEYS });
  }

  async insert(key: NewAuditKey): Promise<void> {
    await this.keys.insert(key);
  }

  private get keys() {
    return this.unitOfWork.manager.getRepository(AuditKey);
  }
}
