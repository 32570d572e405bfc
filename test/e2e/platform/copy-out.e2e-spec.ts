import { Socket } from 'node:net';
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import pg from 'pg';
import { CopiedRows, CopyOut } from '../../../src/platform/database/driver/statements/copy-out.js';
import { SharedBufferSocket } from '../../../src/platform/database/driver/connections/shared-buffer.socket.js';
import { TestDatabase } from '../../support/database/test-database.js';

/** The data of a row: a number, and so many characters that rows span several reads. */
const ROWS = 3000;
const SELECT = `SELECT n, repeat(chr(97 + n % 26), n % 700) AS text FROM generate_series(1, ${ROWS}) AS n`;
const copy = (select: string) => new CopyOut(`COPY (${select}) TO STDOUT (FORMAT binary)`, 0);

describe.each([
  ['a socket with one buffer', () => new SharedBufferSocket()],
  ['another socket, as TLS creates', () => new Socket()],
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

  it('delivers every row complete and leaves the connection usable', async () => {
    const rows = new CopiedRows(await client.query(copy(SELECT)).done);
    for (let n = 1; n <= ROWS; n++) {
      expect(rows.next()).toBe(true);
      // Follows the number, which has four bytes, and the two lengths.
      const text = rows.bytes.toString('utf8', rows.start + 12, rows.end);
      if (text !== String.fromCharCode(97 + (n % 26)).repeat(n % 700)) throw new Error(`row ${n}: ${text}`);
    }
    expect(rows.next()).toBe(false);
    expect(await one()).toEqual([{ one: 1 }]);
  });

  describe('the buffer of a chunk', () => {
    const read = async (expectedBytes: number) => {
      const out = new CopyOut('COPY (SELECT 1) TO STDOUT (FORMAT binary)', expectedBytes);
      return new CopiedRows(await client.query(out).done);
    };

    it('is reused for the next chunk of equal or smaller size, whatever sizes were returned since', async () => {
      const held: CopiedRows[] = [];
      for (const size of [4_000_000, 500_000, 250_000, 125_000, 70_000]) held.push(await read(size));
      for (const rows of held) rows.release();
      const large = await read(4_000_000);
      // Not toContain, which would print megabytes.
      expect(held.some(({ bytes }) => bytes === large.bytes)).toBe(true);
      large.release();
      const smaller = await read(3_000_000);
      expect(smaller.bytes === large.bytes).toBe(true);
      smaller.release();
    });

    it('is not kept above four megabytes', async () => {
      const large = await read(5_000_000);
      large.release();
      expect((await read(5_000_000)).bytes === large.bytes).toBe(false);
    });
  });

  it('reports errors before the first row and after many', async () => {
    await expect(client.query(copy('SELECT 1 / 0 AS x')).done).rejects.toThrow('division by zero');
    const late = `SELECT repeat('x', 1000), 1 / (2000 - n) FROM generate_series(1, 2500) AS n`;
    await expect(client.query(copy(late)).done).rejects.toThrow('division by zero');
    expect(await one()).toEqual([{ one: 1 }]);
  });
});
