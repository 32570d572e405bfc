import type pg from 'pg';

/** The number of rows of each table and a digest of them. */
export type Digests = Readonly<Record<string, string>>;

/** Counts and digests the rows of every table, including those of the task queue. */
export class AllRows {
  private constructor(
    private readonly client: pg.Client,
    private readonly sql: string,
  ) {}

  /** Covers all tables except those named. */
  static async of(client: pg.Client, without: readonly string[]): Promise<AllRows> {
    const { rows } = await client.query<{ name: string }>(
      `SELECT c.oid::regclass::text AS name FROM pg_class c
       WHERE c.relkind IN ('r', 'p') AND NOT c.relispartition
         AND c.relnamespace IN ('public'::regnamespace, 'graphile_worker'::regnamespace)`,
    );
    const digests = rows
      .filter(({ name }) => !without.includes(name))
      .map(
        ({ name }) => `
          SELECT '${name}' AS name, concat_ws(' ', count(*), md5(string_agg(t::text, E'\\n' ORDER BY t::text))) AS rows
          FROM ${name} AS t`,
      );
    return new AllRows(client, digests.join(' UNION ALL '));
  }

  async now(): Promise<Digests> {
    const { rows } = await this.client.query<{ name: string; rows: string }>(this.sql);
    return Object.fromEntries(rows.map((each) => [each.name, each.rows]));
  }

  /** Returns the number of rows each table gained (below zero: lost) between two snapshots. */
  added(before: Digests, after: Digests): Readonly<Record<string, number>> {
    return Object.fromEntries(
      Object.entries(after).map(([name, rows]) => [name, countOf(rows) - countOf(before[name])]),
    );
  }
}

const countOf = (rows: string | undefined): number => Number(rows?.split(' ')[0] ?? 0);
