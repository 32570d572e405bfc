import { Injectable } from '@nestjs/common';
import { UnitOfWork } from '../../../platform/database/unit-of-work.js';
import type { HistoryPosition } from '../../../common/history-position.js';
import { MAX_SEALED, type Seal, splitHashes, type StoredSeal } from './seal.js';

/** The number of seals read at once. With few entries each, they stay far below the entry limit. */
const MAX_GROUP = 500;
const COLUMNS = 'number, epoch, xid::text, seq, entries, root, previous, sealed_at, kid, hash, signature';

interface SealRow extends HistoryPosition {
  /** bigint */
  readonly number: string;
  readonly entries: number;
  readonly root: Buffer;
  readonly previous: Buffer;
  readonly sealed_at: Date;
  readonly kid: string;
  readonly hash: Buffer;
  readonly signature: Buffer;
}

type WholeSealRow = SealRow & { readonly leaf_hashes: Buffer };

@Injectable()
export class SealsRepository {
  constructor(private readonly unitOfWork: UnitOfWork) {}

  async findLatest(): Promise<Seal | null> {
    const [seal] = await this.findPage({ below: null, limit: 1, offset: 0 });
    return seal ?? null;
  }

  /** Returns seals newest first. */
  async findPage(page: { below: number | null; limit: number; offset: number }): Promise<Seal[]> {
    const rows: SealRow[] = await this.manager.query(
      `SELECT ${COLUMNS} FROM audit_seals WHERE $1::bigint IS NULL OR number < $1
       ORDER BY number DESC LIMIT $2 OFFSET $3`,
      [page.below, page.limit, page.offset],
    );
    return rows.map(toSeal);
  }

  async count(): Promise<number> {
    const rows: [{ count: string }] = await this.manager.query('SELECT count(*) FROM audit_seals');
    return Number(rows[0].count);
  }

  async findByNumber(number: number): Promise<Seal | null> {
    const rows: SealRow[] = await this.manager.query(`SELECT ${COLUMNS} FROM audit_seals WHERE number = $1`, [
      number,
    ]);
    return rows[0] ? toSeal(rows[0]) : null;
  }

  /** Returns the seal that covers this position. @returns null while no seal covers it */
  async findCovering({ epoch, xid, seq }: HistoryPosition): Promise<StoredSeal | null> {
    const rows: WholeSealRow[] = await this.manager.query(
      `SELECT ${COLUMNS}, leaf_hashes FROM audit_seals
       WHERE (epoch, xid, seq) >= ($1::integer, $2::xid8, $3::bigint)
       ORDER BY audit_seals.epoch, audit_seals.xid, audit_seals.seq LIMIT 1`,
      [epoch, xid, seq],
    );
    return rows[0] ? toStoredSeal(rows[0]) : null;
  }

  /**
   * Returns the first seals after that number, as many as together cover {@link MAX_SEALED} entries, but at
   * least one.
   */
  async findGroup(after: number, last: number): Promise<StoredSeal[]> {
    const rows: WholeSealRow[] = await this.manager.query(
      `SELECT ${COLUMNS}, leaf_hashes FROM (
         SELECT *, sum(entries) OVER (ORDER BY number) AS total, row_number() OVER (ORDER BY number) AS place
         FROM (SELECT * FROM audit_seals WHERE number > $1 AND number <= $2 ORDER BY number LIMIT ${MAX_GROUP}) AS next
       ) AS counted
       WHERE total <= ${MAX_SEALED} OR place = 1 ORDER BY counted.number`,
      [after, last],
    );
    return rows.map(toStoredSeal);
  }

  /** Returns the number of the first seal made at or after that time. */
  async findNumberFrom(time: Date): Promise<number | null> {
    const rows: { number: string }[] = await this.manager.query(
      'SELECT number FROM audit_seals WHERE sealed_at >= $1 ORDER BY sealed_at, number LIMIT 1',
      [time],
    );
    return rows[0] ? Number(rows[0].number) : null;
  }

  async insert(seal: StoredSeal): Promise<void> {
    const { epoch, xid, seq } = seal.position;
    await this.manager.query(
      `INSERT INTO audit_seals (number, epoch, xid, seq, entries, root, previous, sealed_at, kid, hash, signature, leaf_hashes)
       VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12)`,
      [
        seal.number,
        epoch,
        xid,
        seq,
        seal.entries,
        seal.root,
        seal.previous,
        seal.sealedAt,
        seal.kid,
        seal.hash,
        seal.signature,
        Buffer.concat(seal.leafHashes),
      ],
    );
  }

  private get manager() {
    return this.unitOfWork.manager;
  }
}

function toSeal(row: SealRow): Seal {
  const { number, epoch, xid, seq, sealed_at: sealedAt, entries, root, previous, kid, hash, signature } = row;
  const position = { epoch, xid, seq };
  return { number: Number(number), position, entries, root, previous, sealedAt, kid, hash, signature };
}

const toStoredSeal = (row: WholeSealRow): StoredSeal => ({
  ...toSeal(row),
  leafHashes: splitHashes(row.leaf_hashes),
});
