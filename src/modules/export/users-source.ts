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
/** In COPY: room that has to grow while rows come costs more than all else that is done with them. */
const EXPECTED_ROW_BYTES = 250;

/** So many rows on, of what there is and of what was: their ids alone, from the indexes. */
const BOUND = prepared(
  `SELECT least((SELECT id FROM users WHERE id > $1 ORDER BY id OFFSET $2 LIMIT 1),
                (SELECT id FROM user_images WHERE id > $1 ORDER BY id OFFSET $2 LIMIT 1)) AS bound`,
);

/** What filters look at, and what is sent; the last sign-in and the canonical address, which images lack, stand apart. */
const COLUMNS = `id, email, name, search_key, status, roles, email_verified, version, created_at, updated_at`;

/** Accounts as they were. COPY takes no parameters, so every value is written as a literal. */
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
 * Each account that was there at that moment, once: its row, or the image that was its row then. An image has the
 * canonical address of the row as long as both have the same address.
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

/** Ids of an older epoch say nothing now; what they did is long settled. */
const isVisible = ({ epoch, snapshot }: HistorySnapshot, when: string): string =>
  `(${when}_epoch < ${epoch} OR pg_visible_in_snapshot(${when}_xid, ${pg.escapeLiteral(snapshot)}))`;

function between(after: string, bound: string | null): string {
  const from = `id > ${pg.escapeLiteral(after)}`;
  return bound === null ? from : `${from} AND id <= ${pg.escapeLiteral(bound)}`;
}

/** The same as for the list. */
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
