import type { TestDatabase } from '../database/test-database.js';

/** Adds `rows` users with SQL. They cannot sign in. */
export async function addRows(database: TestDatabase, rows: number, prefix = 'row'): Promise<void> {
  await database.query(
    `INSERT INTO users (id, email, email_key, name, name_key, search_key, roles)
     SELECT (lpad(to_hex((extract(epoch FROM clock_timestamp()) * 1000)::bigint), 12, '0') || '7' ||
             substr(md5(n || $2), 1, 3) || '8' || substr(md5($2 || n), 1, 15))::uuid,
            $2 || n || '@example.com', $2 || n || '@example.com', 'Row ' || n, 'row ' || n,
            'row ' || n || E'\\n' || $2 || n || '@example.com', ARRAY['user']
     FROM generate_series(1, $1::integer) AS n`,
    [rows, prefix],
  );
}
