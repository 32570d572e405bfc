import { Injectable } from '@nestjs/common';
import { InjectDataSource } from '@nestjs/typeorm';
import pg from 'pg';
import { DataSource } from 'typeorm';
import { likePattern } from '../../../common/text.js';
import { type CopiedRows, copyOut } from '../../../platform/database/driver/statements/copy-out.js';
import { poolOf } from '../../../platform/database/database.module.js';
import { estimateRows } from '../../../platform/database/estimate-rows.js';
import { prepared } from '../../../platform/database/driver/statements/prepared.js';
import { anyTerm, keyContains, holdsInAnyForm, searchTerms } from '../../../platform/database/search-key.js';
import { SqlRunner } from '../../../platform/database/sql.runner.js';
import type { HistorySnapshot } from '../exports.repository.js';

export interface UserExportFilters {
  readonly search?: string;
  readonly status?: string;
  readonly role?: string;
}

/** The ids after `after`, up to `bound`; null for all of them. */
export interface IdRange {
  readonly after: string;
  readonly bound: string | null;
}

/**
 * The expected row size in COPY output. Growing the buffer while rows arrive would cost more than all other
 * work on them.
 */
const EXPECTED_ROW_BYTES = 250;

/** Finds the id `$2` rows ahead, over current rows and images. Reads ids from the indexes only. */
const BOUND = prepared(
  `SELECT least((SELECT id FROM users WHERE id > $1 ORDER BY id OFFSET $2 LIMIT 1),
                (SELECT id FROM user_images WHERE id > $1 ORDER BY id OFFSET $2 LIMIT 1)) AS bound`,
);

/**
 * The columns that filters use and that are sent. `last_login_at` and `email_key` are separate because images
 * lack them.
 */
const COLUMNS = `id, email, name, locale, search_key, status, roles, email_verified, version, created_at, updated_at`;

/**
 * Reads users as of a snapshot, over the pool and outside any unit of work. COPY takes no parameters, so all values are
 * escaped as literals.
 */
@Injectable()
export class ExportedUsersRepository {
  private readonly sql: SqlRunner;

  constructor(@InjectDataSource() private readonly dataSource: DataSource) {
    this.sql = new SqlRunner(dataSource);
  }

  /** Returns the id that is `rows` further on among users and their images; null when fewer are left. */
  async findBound(after: string, rows: number): Promise<string | null> {
    return (await this.sql.one<{ bound: string | null }>(BOUND, [after, rows - 1])).bound;
  }

  /** Copies the users in that range as they were, with their id first. `rows`: the number of ids in the range. */
  copy(
    moment: HistorySnapshot,
    { filters, fields }: { filters: UserExportFilters; fields: readonly string[] },
    range: IdRange,
    rows: number,
  ): Promise<CopiedRows> {
    return copyOut(
      poolOf(this.dataSource),
      `SELECT ${['id', ...fields].join(', ')} FROM (${asOf(moment, between(range))}) AS snapshot_users
       WHERE ${conditions(filters, holdsInAnyForm)} ORDER BY id`,
      rows * EXPECTED_ROW_BYTES,
    );
  }

  estimate(filters: UserExportFilters): Promise<number> {
    const there = `SELECT 1 FROM users WHERE erased_at IS NULL AND ${conditions(filters, keyContains)}`;
    return estimateRows(this.sql, there, []);
  }
}

/**
 * Selects each user that existed at that moment exactly once: the current row, or the image that was current
 * then. An image uses the canonical address of the current row while both have the same address.
 */
function asOf(moment: HistorySnapshot, range: string): string {
  return `
    SELECT ${COLUMNS}, email_key, last_login_at FROM users
    WHERE ${range} AND erased_at IS NULL AND ${isVisible(moment, 'changed')}
    UNION ALL
    SELECT ${COLUMNS},
      (SELECT email_key FROM users WHERE users.id = user_images.id AND users.email = user_images.email),
      (SELECT last_login_at FROM users WHERE users.id = user_images.id)
    FROM user_images
    WHERE ${range} AND ${isVisible(moment, 'from')} AND NOT ${isVisible(moment, 'to')}`;
}

/**
 * Treats rows of an older epoch as visible. Their transaction ids are meaningless now, and all of them
 * settled long ago.
 */
const isVisible = ({ epoch, snapshot }: HistorySnapshot, when: string): string =>
  `(${when}_epoch < ${epoch} OR pg_visible_in_snapshot(${when}_xid, ${pg.escapeLiteral(snapshot)}))`;

function between({ after, bound }: IdRange): string {
  const from = `id > ${pg.escapeLiteral(after)}`;
  return bound === null ? from : `${from} AND id <= ${pg.escapeLiteral(bound)}`;
}

/** Builds the same conditions as the list. */
function conditions({ search, status, role }: UserExportFilters, test: typeof keyContains): string {
  return [
    status === undefined ? `status <> 'deleted'` : `status = ${pg.escapeLiteral(status)}`,
    ...(search ? [fits(search, test)] : []),
    ...(role === undefined ? [] : [`roles @> ARRAY[${pg.escapeLiteral(role)}]`]),
  ].join(' AND ');
}

function fits(search: string, test: typeof keyContains): string {
  const { texts, emailKey } = searchTerms(search);
  return anyTerm(
    texts.map((text) => test(pg.escapeLiteral(likePattern(text)))),
    emailKey === null ? null : pg.escapeLiteral(emailKey),
  );
}
