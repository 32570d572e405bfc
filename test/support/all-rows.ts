import type pg from 'pg';

/** The rows of every table, of the job queue too: for each table how many there are, and a digest of them. */
export class AllRows {
  private constructor(
    private readonly client: pg.Client,
    private readonly sql: string,
  ) {}

  /** Without the tables named. */
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

  async now(): Promise<Readonly<Record<string, string>>> {
    const { rows } = await this.client.query<{ name: string; rows: string }>(this.sql);
    return Object.fromEntries(rows.map((each) => [each.name, each.rows]));
  }
}
