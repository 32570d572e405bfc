import pg from 'pg';

/** A transaction of somebody else that holds something, so that the service's queries really wait. */
export class HeldLock {
  private constructor(private readonly client: pg.Client) {}

  static async take(url: string, sql: string, values: unknown[] = []): Promise<HeldLock> {
    const client = new pg.Client({ connectionString: url });
    // A test that takes the server away takes this connection with it.
    client.on('error', () => {});
    await client.connect();
    await client.query('BEGIN');
    await client.query(sql, values);
    return new HeldLock(client);
  }

  async release(): Promise<void> {
    await this.client.query('ROLLBACK');
    await this.client.end();
  }
}
