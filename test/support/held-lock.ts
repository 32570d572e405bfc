import pg from 'pg';

/** A transaction of somebody else that holds something, so that the service's queries really wait. */
export class HeldLock {
  private released: Promise<void> | null = null;

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

  /** Nobody gets past the accounts, not even to read one. */
  static takeUsers(url: string): Promise<HeldLock> {
    return HeldLock.take(url, 'LOCK TABLE users IN ACCESS EXCLUSIVE MODE');
  }

  /** In the same transaction. */
  async query(sql: string): Promise<void> {
    await this.client.query(sql);
  }

  /** How many connections to this database wait for somebody's lock. */
  async waiting(): Promise<number> {
    // Within one transaction the view would show its first state for ever.
    await this.client.query('SELECT pg_stat_clear_snapshot()');
    const { rowCount } = await this.client.query(
      `SELECT 1 FROM pg_stat_activity WHERE datname = current_database() AND wait_event_type = 'Lock'`,
    );
    return rowCount ?? 0;
  }

  /** Lets go; once more does nothing. */
  release(): Promise<void> {
    this.released ??= this.client.query('ROLLBACK').then(() => this.client.end());
    return this.released;
  }
}
