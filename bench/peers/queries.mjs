// The statements and the answers that the peers share.

import pg from 'pg';

const COLUMNS =
  'id, email, name, locale, status, roles, email_verified, version, last_login_at, created_at, updated_at';

/** The user of the caller. Named, so that PostgreSQL parses it once for each connection. */
export const ME = { name: 'me', text: `SELECT ${COLUMNS} FROM users WHERE id = $1` };

/** The first page of the list, and the page after a cursor: the conditions and the order of the service. */
export const FIRST_PAGE = {
  name: 'first-page',
  text: `SELECT ${COLUMNS} FROM users WHERE status <> 'deleted' ORDER BY created_at, id LIMIT $1`,
};
export const NEXT_PAGE = {
  name: 'next-page',
  text: `SELECT ${COLUMNS} FROM users WHERE status <> 'deleted' AND (created_at, id) > ($2, $3)
         ORDER BY created_at, id LIMIT $1`,
};

/** Opens a pool of the same size as that of the service. */
export function openPool() {
  return new pg.Pool({ connectionString: process.env.DATABASE_URL, max: 10 });
}

export function cursorOf(rows) {
  const last = rows.at(-1);
  return last === undefined
    ? undefined
    : Buffer.from(JSON.stringify([last.created_at, last.id])).toString('base64url');
}

export function decodeCursor(cursor) {
  return JSON.parse(Buffer.from(cursor, 'base64url').toString());
}
