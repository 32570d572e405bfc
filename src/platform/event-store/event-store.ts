import { Injectable } from '@nestjs/common';
import { AppError } from '../../common/errors/app.error.js';
import { START_POSITION, type EventPosition } from '../../common/event-position.js';
import { traceContext } from '../../common/context/trace-context.js';
import { newId } from '../../common/ids.js';
import { UserEncryptionKeys } from '../crypto/user-encryption-keys.service.js';
import type { Cipher } from '../crypto/cipher.service.js';
import { violatesUnique } from '../database/database.errors.js';
import { prepared } from '../database/driver/statements/prepared.js';
import { SqlRunner } from '../database/sql.runner.js';
import { UnitOfWork } from '../database/transactions/unit-of-work.js';
import { EventAnnouncer } from './event.announcer.js';

const VERSION_CONSTRAINT = 'events_pkey';

/** A fact to store: the changes, in the API's spelling. */
export interface NewEvent {
  readonly type: string;
  /** The ID of the object it happened to: a user, a session or a resource. */
  readonly stream: string;
  /** The version of the stream after the event, one more than before it. */
  readonly version: number;
  /** The user that the event concerns and under whose key its data is encrypted. The nil UUID if it concerns none. */
  readonly subject: string;
  /** The object that the event concerns instead of a user, such as `webhook/<id>`. Its data is not personal. */
  readonly about?: string;
  /** The time of the event; defaults to now, by the database clock. */
  readonly occurredAt?: Date;
  readonly data: object;
}

export interface StoredEvent extends Omit<NewEvent, 'data' | 'occurredAt' | 'about'> {
  /** Null for an event that concerns a user. */
  readonly about: string | null;
  readonly occurredAt: Date;
  readonly id: string;
  readonly position: EventPosition;
  /** Null once the user is erased. */
  readonly data: object | null;
  /** The work that caused the event; null if it had no trace. Only `findAt` returns it. */
  readonly traceparent?: string | null;
}

export interface EventFilter {
  /** Distinct types; all types without them. Each costs a scan of its own, which ends at the limit of the page. */
  readonly types?: readonly string[];
  readonly subject?: string;
}

/** A part of the feed without a filter. */
export interface SettledPage {
  /** The wanted events, oldest first. */
  readonly events: readonly StoredEvent[];
  /** The position of the last event read, wanted or not; null if none was read. */
  readonly end: EventPosition | null;
  readonly hasMore: boolean;
}

/** An event without its data. */
export type EventHeader = Omit<StoredEvent, 'data'>;

/** A range of time (`to` is exclusive) and the types to find in it. */
export interface EventRange {
  readonly from: Date;
  readonly to: Date;
  readonly types: readonly string[];
}

type EventHeadRow = Omit<EventHeader, 'position'> & EventPosition;

interface EventRow extends EventHeadRow {
  readonly encrypted: Buffer | null;
}

const HEAD = `epoch, xid::text, seq::text, id, events.type, stream, stream_version AS version, subject, about,
              occurred_at AS "occurredAt"`;
const COLUMNS = `${HEAD}, data_sealed AS encrypted`;

/** Only events below the oldest running transaction, because no event can be inserted before them any more. */
const SETTLED = '(epoch < current_epoch() OR xid < pg_snapshot_xmin(pg_current_snapshot()))';
/** The table's columns. The selected columns of the same names are texts, where 10 sorts before 9. */
const IN_ORDER = 'events.epoch, events.xid, events.seq';
const NEXT = `(epoch, xid, seq) > ($1::integer, $2::xid8, $3::bigint) AND ${SETTLED}`;
const FIND_HEADS = `SELECT ${HEAD} FROM events WHERE ${NEXT} ORDER BY ${IN_ORDER} LIMIT $4`;
/** Reads backwards and ends at the first event that is old enough. */
const FIND_END_BEFORE = `
  SELECT epoch, xid::text, seq::text FROM events WHERE occurred_at < $1
  ORDER BY events.epoch DESC, events.xid DESC, events.seq DESC LIMIT 1`;
const FIND_ALL = `SELECT ${COLUMNS} FROM events WHERE ${NEXT} ORDER BY ${IN_ORDER} LIMIT $4`;
/** Reads each type in the order of its index. One condition for all types would sort every event of theirs. */
const FIND_TYPES = `
  SELECT ${COLUMNS} FROM unnest($5::text[]) AS wanted (type) CROSS JOIN LATERAL (
    SELECT * FROM events WHERE events.type = wanted.type AND ${NEXT} ORDER BY ${IN_ORDER} LIMIT $4
  ) AS events
  ORDER BY ${IN_ORDER} LIMIT $4`;
const FIND_OF_SUBJECT = `
  SELECT ${COLUMNS} FROM events WHERE ${NEXT} AND subject = $6 AND ($5::text[] IS NULL OR type = ANY ($5))
  ORDER BY ${IN_ORDER} LIMIT $4`;
/** The condition is {@link SETTLED} in the form of the index, so that no scan passes the events of a long transaction. */
const FIND_END = `
  SELECT epoch, xid::text, seq::text FROM events
  WHERE (epoch, xid) < (current_epoch(), pg_snapshot_xmin(pg_current_snapshot()))
  ORDER BY events.epoch DESC, events.xid DESC, events.seq DESC LIMIT 1`;

/** Tells whether a position belongs to a transaction that has begun. */
const IS_REACHED = `
  SELECT 1 WHERE ($1::integer, $2::xid8) < (current_epoch(), pg_snapshot_xmax(pg_current_snapshot()))`;

const FIND_UNSETTLED = `
  SELECT 1 FROM events WHERE (epoch, xid) >= (current_epoch(), pg_snapshot_xmin(pg_current_snapshot())) LIMIT 1`;

const FIND_AT = `
  SELECT ${COLUMNS}, traceparent FROM unnest($1::integer[], $2::xid8[], $3::bigint[]) AS wanted (epoch, xid, seq)
  JOIN events USING (epoch, xid, seq)`;

const IN_TIME = 'occurred_at >= $1 AND occurred_at < $2';
const FIND_ENDS_OF_RANGE = `
  WITH found AS MATERIALIZED (SELECT epoch, xid, seq FROM events WHERE ${IN_TIME} AND ${SETTLED})
  (SELECT epoch, xid::text, seq::text FROM found ORDER BY found.epoch, found.xid, found.seq LIMIT 1)
  UNION ALL
  (SELECT epoch, xid::text, seq::text FROM found ORDER BY found.epoch DESC, found.xid DESC, found.seq DESC LIMIT 1)`;
const FIND_IN_RANGE = `
  SELECT ${HEAD} FROM events
  WHERE (epoch, xid, seq) > ($4::integer, $5::xid8, $6::bigint) AND (epoch, xid, seq) <= ($7::integer, $8::xid8, $9::bigint)
    AND ${IN_TIME} AND type = ANY ($3)
  ORDER BY ${IN_ORDER} LIMIT $10`;

const INSERT = prepared(
  `INSERT INTO events (epoch, id, type, stream, stream_version, subject, about, occurred_at, data_sealed, traceparent)
   SELECT (SELECT current_epoch()), id, type, stream, version, subject, about, coalesce(occurred_at, clock_timestamp()), encrypted, $9
   FROM unnest($1::uuid[], $2::text[], $3::uuid[], $4::integer[], $5::uuid[], $6::timestamptz[], $7::bytea[], $8::text[])
        WITH ORDINALITY AS event (id, type, stream, version, subject, occurred_at, encrypted, about, place)
   ORDER BY place`,
);

const headerOf = ({ epoch, xid, seq, ...event }: EventHeadRow): EventHeader => ({
  ...event,
  position: { epoch, xid, seq },
});

/** Returns what an event concerns, as others see it: a user's id, or an object such as `webhook/<id>`. */
export const shownSubject = ({ about, subject }: Pick<StoredEvent, 'about' | 'subject'>): string =>
  about ?? subject;

/** Stores what happened, beside the rows that hold the current state. Stored events never change. */
@Injectable()
export class EventStore {
  constructor(
    private readonly sql: SqlRunner,
    private readonly keys: UserEncryptionKeys,
    private readonly unitOfWork: UnitOfWork,
    private readonly announcer: EventAnnouncer,
  ) {}

  /**
   * Stores events in the given order, in the unit of work of the change. Events about an erased user are
   * stored without data. `made` holds the keys of users created in this unit of work.
   * @returns the IDs of the events
   * @throws AppError `CONFLICT` when the stream already has an event of that version, because another writer
   * was first. The next statement or the COMMIT throws it
   */
  async append(events: readonly NewEvent[], made?: ReadonlyMap<string, Cipher>): Promise<string[]> {
    const ids: string[] = [];
    const rows: unknown[][] = [];
    for (const { type, stream, version, subject, about, occurredAt, data } of events) {
      const id = newId();
      const cipher = made?.get(subject) ?? (await this.keys.encryptionCipher(subject));
      const encrypted = cipher?.encrypt(Buffer.from(JSON.stringify(data)), encryptionPurpose(id)) ?? null;
      ids.push(id);
      rows.push([id, type, stream, version, subject, occurredAt ?? null, encrypted, about ?? null]);
    }
    await this.sql.defer(INSERT, [...columnsOf(rows), traceContext.toStore()], (error) =>
      violatesUnique(error, VERSION_CONSTRAINT) ? new AppError('CONFLICT', { cause: error }) : null,
    );
    this.unitOfWork.afterCommitOrNow(() => this.announcer.announce());
    return ids;
  }

  /**
   * Returns the next settled events, oldest first, in an order that never changes. No event that is not yet settled
   * comes before them.
   */
  async findSettled(
    after: EventPosition | null,
    { types, subject }: EventFilter,
    limit: number,
  ): Promise<StoredEvent[]> {
    const { epoch, xid, seq } = after ?? START_POSITION;
    const page = [epoch, xid, seq, limit];
    if (subject !== undefined)
      return this.decrypt(await this.sql.rows<EventRow>(FIND_OF_SUBJECT, [...page, types, subject]));
    if (types !== undefined) return this.decrypt(await this.sql.rows<EventRow>(FIND_TYPES, [...page, types]));
    return this.decrypt(await this.sql.rows<EventRow>(FIND_ALL, page));
  }

  /**
   * Reads the next settled events and decrypts only those that `isWanted` accepts, because a reader of few events would
   * otherwise load the keys of many users.
   */
  async readSettled(
    { epoch, xid, seq }: EventPosition,
    isWanted: (event: Pick<StoredEvent, 'type' | 'subject'>) => boolean,
    limit: number,
  ): Promise<SettledPage> {
    const rows = await this.sql.rows<EventRow>(FIND_ALL, [epoch, xid, seq, limit]);
    const last = rows.at(-1);
    return {
      events: await this.decrypt(rows.filter(isWanted)),
      end: last ? { epoch: last.epoch, xid: last.xid, seq: last.seq } : null,
      hasMore: rows.length === limit,
    };
  }

  /** Tells whether committed events wait for an older transaction to end. */
  async hasUnsettled(): Promise<boolean> {
    return (await this.sql.maybeOne<object>(FIND_UNSETTLED)) !== null;
  }

  /**
   * Returns the next settled events like `findSettled`, but with null for their data, so that no key is read.
   */
  async findSettledWithoutData({ epoch, xid, seq }: EventPosition, limit: number): Promise<StoredEvent[]> {
    const rows = await this.sql.rows<EventHeadRow>(FIND_HEADS, [epoch, xid, seq, limit]);
    return rows.map((row) => ({ ...headerOf(row), data: null }));
  }

  /** Returns the position of the last event before that time, or one before all events. */
  async findEndBefore(time: Date): Promise<EventPosition> {
    return (await this.sql.maybeOne<EventPosition>(FIND_END_BEFORE, [time])) ?? START_POSITION;
  }

  /** Returns the events at these positions, in any order, whether they are settled or not. */
  async findAt(positions: readonly EventPosition[]): Promise<StoredEvent[]> {
    const columns = [
      positions.map(({ epoch }) => epoch),
      positions.map(({ xid }) => xid),
      positions.map(({ seq }) => seq),
    ];
    return this.decrypt(await this.sql.rows<EventRow>(FIND_AT, columns));
  }

  /** Returns the positions of the first and the last settled event in a range of time; null if it has none. */
  async findEndsOfRange({
    from,
    to,
  }: Omit<EventRange, 'types'>): Promise<[EventPosition, EventPosition] | null> {
    const [first, last] = await this.sql.rows<EventPosition>(FIND_ENDS_OF_RANGE, [from, to]);
    return first && last ? [first, last] : null;
  }

  /** Returns the headers of the next events in a range of time, after one position and up to another. */
  async findInRange(
    { from, to, types }: EventRange,
    [after, until]: readonly [EventPosition, EventPosition],
    limit: number,
  ): Promise<EventHeader[]> {
    const places = [after, until].flatMap(({ epoch, xid, seq }) => [epoch, xid, seq]);
    const rows = await this.sql.rows<EventHeadRow>(FIND_IN_RANGE, [from, to, types, ...places, limit]);
    return rows.map(headerOf);
  }

  /** Returns the position of the last settled event. Every event that settles from now on comes after it. */
  async findEnd(): Promise<EventPosition> {
    return (await this.sql.maybeOne<EventPosition>(FIND_END)) ?? START_POSITION;
  }

  /**
   * Refuses a position that no event can have yet. Its reader would wait, perhaps for years, and miss what comes before it.
   * A position of an earlier epoch lies before all events of this one.
   * @throws AppError `VALIDATION_ERROR`
   */
  async assertReached({ epoch, xid }: EventPosition, name: string): Promise<void> {
    const isReached = (await this.sql.maybeOne<object>(IS_REACHED, [epoch, xid])) !== null;
    if (!isReached) throw AppError.invalid(name, `${name} lies beyond the end of the feed`);
  }

  /** Returns the user that the first event of the current transaction concerns; null if it has none. */
  async findSubjectOfTransaction(): Promise<string | null> {
    const row = await this.sql.maybeOne<{ subject: string }>(
      `SELECT subject FROM events
       WHERE epoch = current_epoch() AND xid = pg_current_xact_id_if_assigned() ORDER BY seq LIMIT 1`,
    );
    return row?.subject ?? null;
  }

  /**
   * Returns a stream's events up to `until`, ordered by version. The stream's own length bounds the result.
   */
  async findStream(stream: string, until: Date): Promise<StoredEvent[]> {
    const rows = await this.sql.rows<EventRow>(
      `SELECT ${COLUMNS} FROM events WHERE stream = $1 AND occurred_at <= $2 ORDER BY stream_version`,
      [stream, until],
    );
    return this.decrypt(rows);
  }

  /** Tells whether the stream has an event of these types after `since`. */
  async hasHappenedSince(stream: string, types: readonly string[], since: Date): Promise<boolean> {
    const row = await this.sql.maybeOne<object>(
      'SELECT 1 FROM events WHERE stream = $1 AND type = ANY ($2) AND occurred_at > $3 LIMIT 1',
      [stream, types, since],
    );
    return row !== null;
  }

  private async decrypt(rows: readonly EventRow[]): Promise<StoredEvent[]> {
    const events: StoredEvent[] = [];
    for (const { epoch, xid, seq, encrypted, ...event } of rows) {
      const opener = encrypted && (await this.keys.decryptionCipher(event.subject));
      const data = opener
        ? (JSON.parse(opener.decrypt(encrypted, encryptionPurpose(event.id)).toString()) as object)
        : null;
      events.push({ ...event, position: { epoch, xid, seq }, data });
    }
    return events;
  }
}

const encryptionPurpose = (id: string): string => `event:${id}`;

const columnsOf = (rows: readonly unknown[][]): unknown[][] =>
  (rows[0] ?? []).map((_, column) => rows.map((row) => row[column]));
