import { Injectable } from '@nestjs/common';
import { AppError } from '../../common/errors/app-error.js';
import { BEGINNING, type HistoryPosition } from '../../common/history-position.js';
import { newId } from '../../common/ids.js';
import { AccountKeys } from '../crypto/account-keys.js';
import type { Sealer } from '../crypto/sealer.js';
import { violatesUnique } from '../database/database-errors.js';
import { prepared } from '../database/prepared.js';
import { UnitOfWork } from '../database/unit-of-work.js';

const VERSION_CONSTRAINT = 'events_pkey';

/** A fact as it is stored: what changed, in the spelling of the wire. */
export interface NewEvent {
  readonly type: string;
  /** What it happened to: an account, a session, a resource. */
  readonly stream: string;
  /** Of that, after the event: each has one version more than the one before. */
  readonly version: number;
  /** The account that it is about, and under whose key its data are sealed. */
  readonly subject: string;
  /** Without it: now, by the clock of the database. */
  readonly occurredAt?: Date;
  readonly data: object;
}

export interface StoredEvent extends Omit<NewEvent, 'data' | 'occurredAt'> {
  readonly occurredAt: Date;
  readonly id: string;
  readonly position: HistoryPosition;
  /** Null once the account is erased. */
  readonly data: object | null;
}

export interface EventFilter {
  readonly type?: string;
  readonly subject?: string;
}

interface EventRow extends Omit<StoredEvent, 'data' | 'position'>, HistoryPosition {
  readonly sealed: Buffer | null;
}

const COLUMNS = `epoch, xid::text, seq::text, id, type, stream, stream_version AS version, subject,
                 occurred_at AS "occurredAt", data_sealed AS sealed`;

const INSERT = prepared(
  `INSERT INTO events (epoch, id, type, stream, stream_version, subject, occurred_at, data_sealed)
   SELECT (SELECT current_epoch()), id, type, stream, version, subject, coalesce(occurred_at, clock_timestamp()), sealed
   FROM unnest($1::uuid[], $2::text[], $3::uuid[], $4::integer[], $5::uuid[], $6::timestamptz[], $7::bytea[])
        WITH ORDINALITY AS event (id, type, stream, version, subject, occurred_at, sealed, place)
   ORDER BY place`,
);

/** What happened, beside the rows that tell how things are. Nothing in it ever changes. */
@Injectable()
export class EventStore {
  constructor(
    private readonly unitOfWork: UnitOfWork,
    private readonly keys: AccountKeys,
  ) {}

  /**
   * In the unit of work of the change, in their order. What is about an account that is erased is kept without data.
   * `made`: the keys of accounts that this unit of work has made.
   * @returns their ids
   * @throws AppError `CONFLICT` when a stream has an event of that version: somebody else was first
   */
  async append(events: readonly NewEvent[], made?: ReadonlyMap<string, Sealer>): Promise<string[]> {
    const ids: string[] = [];
    const rows: unknown[][] = [];
    for (const { type, stream, version, subject, occurredAt, data } of events) {
      const id = newId();
      const sealer = made?.get(subject) ?? (await this.keys.sealerOf(subject));
      const sealed = sealer?.seal(Buffer.from(JSON.stringify(data)), sealPurpose(id)) ?? null;
      ids.push(id);
      rows.push([id, type, stream, version, subject, occurredAt ?? null, sealed]);
    }
    try {
      await this.unitOfWork.manager.query(INSERT, columnsOf(rows));
      return ids;
    } catch (error) {
      if (violatesUnique(error, VERSION_CONSTRAINT)) throw new AppError('CONFLICT', { cause: error });
      throw error;
    }
  }

  /**
   * The next events in the order that never changes, oldest first. Below the oldest transaction that
   * still runs: nothing can come before them any more.
   */
  async findSettled(
    after: HistoryPosition | null,
    { type, subject }: EventFilter,
    limit: number,
  ): Promise<StoredEvent[]> {
    const { epoch, xid, seq } = after ?? BEGINNING;
    // By the columns of the table: as texts, which is what is selected under these names, 10 comes before 9.
    const rows: EventRow[] = await this.unitOfWork.manager.query(
      `SELECT ${COLUMNS} FROM events
       WHERE (epoch, xid, seq) > ($1::integer, $2::xid8, $3::bigint)
         AND (epoch < current_epoch() OR xid < pg_snapshot_xmin(pg_current_snapshot()))
         ${type === undefined ? '' : 'AND type = $5'} ${subject === undefined ? '' : `AND subject = $${type === undefined ? 5 : 6}`}
       ORDER BY events.epoch, events.xid, events.seq LIMIT $4`,
      [epoch, xid, seq, limit, ...[type, subject].filter((value) => value !== undefined)],
    );
    return this.open(rows);
  }

  /** The account that the first event of the current transaction is about; null before any. */
  async findSubjectOfTransaction(): Promise<string | null> {
    const rows: { subject: string }[] = await this.unitOfWork.manager.query(
      `SELECT subject FROM events
       WHERE epoch = current_epoch() AND xid = pg_current_xact_id_if_assigned() ORDER BY seq LIMIT 1`,
    );
    return rows[0]?.subject ?? null;
  }

  /** Of one stream by version, up to that time. Bounded by the stream's own length. */
  async findStream(stream: string, until: Date): Promise<StoredEvent[]> {
    const rows: EventRow[] = await this.unitOfWork.manager.query(
      `SELECT ${COLUMNS} FROM events WHERE stream = $1 AND occurred_at <= $2 ORDER BY stream_version`,
      [stream, until],
    );
    return this.open(rows);
  }

  /** Returns whether the stream has an event of these types from after that time. */
  async hasHappenedSince(stream: string, types: readonly string[], since: Date): Promise<boolean> {
    const rows: unknown[] = await this.unitOfWork.manager.query(
      'SELECT 1 FROM events WHERE stream = $1 AND type = ANY ($2) AND occurred_at > $3 LIMIT 1',
      [stream, types, since],
    );
    return rows.length > 0;
  }

  private async open(rows: readonly EventRow[]): Promise<StoredEvent[]> {
    const events: StoredEvent[] = [];
    for (const { epoch, xid, seq, sealed, ...event } of rows) {
      const opener = sealed && (await this.keys.openerOf(event.subject));
      const data = opener
        ? (JSON.parse(opener.open(sealed, sealPurpose(event.id)).toString()) as object)
        : null;
      events.push({ ...event, position: { epoch, xid, seq }, data });
    }
    return events;
  }
}

const sealPurpose = (id: string): string => `event:${id}`;

const columnsOf = (rows: readonly unknown[][]): unknown[][] =>
  (rows[0] ?? []).map((_, column) => rows.map((row) => row[column]));
