import { Injectable } from '@nestjs/common';
import { InjectDataSource } from '@nestjs/typeorm';
import pg from 'pg';
import { DataSource } from 'typeorm';
import { likePattern } from '../../common/text.js';
import { copyOut } from '../../platform/database/copy-out.js';
import { poolOf } from '../../platform/database/database.module.js';
import { estimateRows } from '../../platform/database/estimate-rows.js';
import { prepared } from '../../platform/database/prepared.js';
import { anyTerm, holds, holdsInAnyForm, searchTerms } from '../../platform/database/search-key.js';
import type { HistorySnapshot } from './exports.repository.js';
import type { Piece, RowSource, Selection } from './row-source.js';
import { type UserField, UserPiece } from './user-columns.js';

export interface UserExportFilters {
  readonly search?: string;
  readonly status?: string;
  readonly role?: string;
}

const MAX_ROWS = 10_000;
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
const COLUMNS = `id, email, name, search_key, status, roles, email_verified, version, created_at, updated_at`;

/** Reads users as of a snapshot. COPY takes no parameters, so all values are escaped as literals. */
@Injectable()
export class UsersSource {
  constructor(@InjectDataSource() private readonly dataSource: DataSource) {}

  select({ moment, filters, fields, encoding }: Selection<UserExportFilters>): RowSource {
    const pool = poolOf(this.dataSource);
    const columns = ['id', ...fields].join(', ');
    return {
      maxRows: MAX_ROWS,
      read: async (after: string, rows: number): Promise<Piece> => {
        const [{ bound }]: [{ bound: string | null }] = await this.dataSource.query(BOUND, [after, rows - 1]);
        const copied = await copyOut(
          pool,
          `SELECT ${columns} FROM (${asOf(moment, between(after, bound))}) AS account
           WHERE ${conditions(filters, holdsInAnyForm)} ORDER BY id`,
          rows * EXPECTED_ROW_BYTES,
        );
        return new UserPiece(copied, bound, fields as UserField[], encoding);
      },
    };
  }

  estimate(filters: UserExportFilters): Promise<number> {
    const there = `SELECT 1 FROM users WHERE erased_at IS NULL AND ${conditions(filters, holds)}`;
    return estimateRows(this.dataSource.manager, there, []);
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

function between(after: string, bound: string | null): string {
  const from = `id > ${pg.escapeLiteral(after)}`;
  return bound === null ? from : `${from} AND id <= ${pg.escapeLiteral(bound)}`;
}

/** Builds the same conditions as the list. */
function conditions({ search, status, role }: UserExportFilters, test: typeof holds): string {
  return [
    status === undefined ? `status <> 'deleted'` : `status = ${pg.escapeLiteral(status)}`,
    ...(search ? [fits(search, test)] : []),
    ...(role === undefined ? [] : [`roles @> ARRAY[${pg.escapeLiteral(role)}]`]),
  ].join(' AND ');
}

function fits(search: string, test: typeof holds): string {
  const { texts, emailKey } = searchTerms(search);
  return anyTerm(
    texts.map((text) => test(pg.escapeLiteral(likePattern(text)))),
    emailKey === null ? null : pg.escapeLiteral(emailKey),
  );
}
