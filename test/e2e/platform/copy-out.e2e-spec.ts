import { Socket } from 'node:net';
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import pg from 'pg';
import { CopiedRows, CopyOut } from '../../../src/platform/database/copy-out.js';
import { OneBufferSocket } from '../../../src/platform/database/one-buffer-socket.js';
import { TestDatabase } from '../../support/test-database.js';

/** Of each row: a number, and so many characters that rows lie across many reads. */
const ROWS = 3000;
const SELECT = `SELECT n, repeat(chr(97 + n % 26), n % 700) AS text FROM generate_series(1, ${ROWS}) AS n`;
const copy = (select: string) => new CopyOut(`COPY (${select}) TO STDOUT (FORMAT binary)`, 0);

describe.each([
  ['a socket of one buffer', () => new OneBufferSocket()],
  ['any other, as TLS makes its own', () => new Socket()],
])('a COPY over %s', (_, stream) => {
  let database: TestDatabase;
  let client: pg.Client;
  beforeAll(async () => {
    database = await TestDatabase.create();
    client = new pg.Client({ connectionString: database.url, stream });
    await client.connect();
  });
  afterAll(async () => {
    await client?.end();
    await database?.drop();
  });
  const one = async () => (await client.query<{ one: number }>('SELECT 1 AS one')).rows;

  it('brings every row whole, and leaves the connection as it was', async () => {
    const rows = new CopiedRows(await client.query(copy(SELECT)).done);
    for (let n = 1; n <= ROWS; n++) {
      expect(rows.next()).toBe(true);
      // Behind the number, which has four bytes, and the two lengths.
      const text = rows.bytes.toString('utf8', rows.start + 12, rows.end);
      if (text !== String.fromCharCode(97 + (n % 26)).repeat(n % 700)) throw new Error(`row ${n}: ${text}`);
    }
    expect(rows.next()).toBe(false);
    expect(await one()).toEqual([{ one: 1 }]);
  });

  it('takes the room of one that was read for the next of its size, whatever sizes were before', async () => {
    const roomOf = async (expectedBytes: number) => {
      const out = new CopyOut('COPY (SELECT 1) TO STDOUT (FORMAT binary)', expectedBytes);
      const rows = new CopiedRows(await client.query(out).done);
      rows.release();
      return rows.bytes;
    };
    for (let size = 1; size <= 6; size++) await roomOf(10 ** size * 64);
    const room = await roomOf(3_000_000);
    // Not toBe: megabytes would be shown.
    expect((await roomOf(3_000_000)) === room).toBe(true);
  });

  it('tells what went wrong, before the first row and after many', async () => {
    await expect(client.query(copy('SELECT 1 / 0 AS x')).done).rejects.toThrow('division by zero');
    const late = `SELECT repeat('x', 1000), 1 / (2000 - n) FROM generate_series(1, 2500) AS n`;
    await expect(client.query(copy(late)).done).rejects.toThrow('division by zero');
    expect(await one()).toEqual([{ one: 1 }]);
  });
});
