import { Injectable } from '@nestjs/common';
import { LessThan, MoreThanOrEqual } from 'typeorm';
import { SqlRunner } from '../../../platform/database/sql.runner.js';
import { UnitOfWork } from '../../../platform/database/transactions/unit-of-work.js';
import { AuditSeal } from './audit-seal.entity.js';
import type { EventPosition } from '../../../common/event-position.js';
import { LEAF_VERSION } from '../proofs/leaf.js';
import { MAX_ENTRIES_PER_SEAL, type Seal, splitHashes, type StoredSeal } from '../proofs/seal.js';

/** The number of seals read at once. With few entries each, they stay far below the entry limit. */
const MAX_GROUP = 500;
const COLUMNS = `number, epoch, xid, seq, entries, root, previous, sealed_at AS "sealedAt", kid, hash, signature`;

/** "seal" in ASCII, the key of the advisory lock that makes one instance the sealer. */
const SEAL_LOCK = 0x7365616c;
/**
 * The maximum time for which an instance may hold the lock without responding. Its connection is then
 * terminated, so another instance can take over.
 */
const SEAL_TIMEOUT = '5s';

type SealRow = Omit<AuditSeal, 'leafHashes' | 'leafVersion'>;

@Injectable()
export class SealsRepository {
  constructor(
    private readonly unitOfWork: UnitOfWork,
    private readonly sql: SqlRunner,
  ) {}

  /**
   * Tries to take the sealer's lock and sets the timeout. Both end with the transaction, as a pooler in transaction
   * mode requires.
   */
  async tryLock(): Promise<boolean> {
    const { taken } = await this.sql.one<{ taken: boolean }>(
      `SELECT set_config('synchronous_commit', 'on', true),
              set_config('idle_in_transaction_session_timeout', '${SEAL_TIMEOUT}', true),
              pg_try_advisory_xact_lock(${SEAL_LOCK}) AS taken`,
    );
    return taken;
  }

  /**
   * Terminates a stalled sealer. PostgreSQL's timeouts do not apply while it waits for its client to read a
   * response, so the next sealer does this.
   */
  async endStalledSealer(): Promise<void> {
    await this.sql.execute(
      `SELECT pg_terminate_backend(pid) FROM pg_locks JOIN pg_stat_activity USING (pid)
       WHERE locktype = 'advisory' AND classid = 0 AND objid = ${SEAL_LOCK} AND granted AND datname = current_database()
         AND wait_event = 'ClientWrite' AND state_change < clock_timestamp() - interval '${SEAL_TIMEOUT}'`,
    );
  }

  async findLatest(): Promise<Seal | null> {
    const [seal] = await this.findPage({ below: null, limit: 1, offset: 0 });
    return seal ?? null;
  }

  /** Returns seals newest first. */
  async findPage(page: { below: number | null; limit: number; offset: number }): Promise<Seal[]> {
    const rows = await this.seals.find({
      where: page.below === null ? {} : { number: LessThan(String(page.below)) },
      order: { number: 'DESC' },
      take: page.limit,
      skip: page.offset,
    });
    return rows.map(toSeal);
  }

  count(): Promise<number> {
    return this.seals.count();
  }

  async findByNumber(number: number): Promise<Seal | null> {
    const row = await this.seals.findOneBy({ number: String(number) });
    return row && toSeal(row);
  }

  /** Returns the seal that covers this position. @returns null while no seal covers it */
  async findCovering({ epoch, xid, seq }: EventPosition): Promise<StoredSeal | null> {
    const row = await this.sql.maybeOne<AuditSeal>(
      `SELECT ${COLUMNS}, leaf_hashes AS "leafHashes" FROM audit_seals
       WHERE (epoch, xid, seq) >= ($1::integer, $2::xid8, $3::bigint)
       ORDER BY audit_seals.epoch, audit_seals.xid, audit_seals.seq LIMIT 1`,
      [epoch, xid, seq],
    );
    return row ? toStoredSeal(row) : null;
  }

  /**
   * Returns the first seals after that number, as many as together cover {@link MAX_ENTRIES_PER_SEAL} entries, but at
   * least one.
   */
  async findGroup(after: number, last: number): Promise<StoredSeal[]> {
    const rows = await this.sql.rows<AuditSeal>(
      `SELECT ${COLUMNS}, leaf_hashes AS "leafHashes" FROM (
         SELECT *, sum(entries) OVER (ORDER BY number) AS total, row_number() OVER (ORDER BY number) AS place
         FROM (SELECT * FROM audit_seals WHERE number > $1 AND number <= $2 ORDER BY number LIMIT ${MAX_GROUP}) AS next
       ) AS counted
       WHERE total <= ${MAX_ENTRIES_PER_SEAL} OR place = 1 ORDER BY counted.number`,
      [after, last],
    );
    return rows.map(toStoredSeal);
  }

  /** Returns the number of the first seal made at or after that time. */
  async findNumberFrom(time: Date): Promise<number | null> {
    const row = await this.seals.findOne({
      select: { number: true },
      where: { sealedAt: MoreThanOrEqual(time) },
      order: { sealedAt: 'ASC', number: 'ASC' },
    });
    return row && Number(row.number);
  }

  /** Returns the last seal made before that time. */
  async findLastBefore(time: Date): Promise<Seal | null> {
    const row = await this.seals.findOne({
      where: { sealedAt: LessThan(time) },
      order: { sealedAt: 'DESC', number: 'DESC' },
    });
    return row && toSeal(row);
  }

  async insert({ number, position, leafHashes, ...seal }: StoredSeal): Promise<void> {
    await this.seals.insert({
      ...seal,
      ...position,
      number: String(number),
      leafVersion: LEAF_VERSION,
      leafHashes: Buffer.concat(leafHashes),
    });
  }

  private get seals() {
    return this.unitOfWork.manager.getRepository(AuditSeal);
  }
}

function toSeal({
  number,
  epoch,
  xid,
  seq,
  entries,
  root,
  previous,
  sealedAt,
  kid,
  hash,
  signature,
}: SealRow): Seal {
  const position = { epoch, xid, seq };
  return { number: Number(number), position, entries, root, previous, sealedAt, kid, hash, signature };
}

const toStoredSeal = (row: AuditSeal): StoredSeal => ({
  ...toSeal(row),
  leafHashes: splitHashes(row.leafHashes),
});
