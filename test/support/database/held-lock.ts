import pg from 'pg';

/** Another transaction that holds a lock, so that the service's queries really wait. */
export class HeldLock {
  private released: Promise<void> | null = null;

  private constructor(private readonly client: pg.Client) {}

  static async take(url: string, sql: string, values: unknown[] = []): Promise<HeldLock> {
    const client = new pg.Client({ connectionString: url });
    // A test that takes the server away also breaks this connection.
    client.on('error', () => {});
    await client.connect();
    await client.query('BEGIN');
    await client.query(sql, values);
    return new HeldLock(client);
  }

  /** Locks the users table against all access, including reads. */
  static takeUsers(url: string): Promise<HeldLock> {
    return HeldLock.take(url, 'LOCK TABLE users IN ACCESS EXCLUSIVE MODE');
  }

  /** Runs a statement in the same transaction. */
  async query(sql: string): Promise<void> {
    await this.client.query(sql);
  }

  /** Returns the number of connections to this database that wait for a lock. */
  async waiting(): Promise<number> {
    // Within one transaction the view would always show its first state.
    await this.client.query('SELECT pg_stat_clear_snapshot()');
    const { rowCount } = await this.client.query(
      `SELECT 1 FROM pg_stat_activity WHERE datname = current_database() AND wait_event_type = 'Lock'`,
    );
    return rowCount ?? 0;
  }

  /** Releases the lock. A second call does nothing. */
  release(): Promise<void> {
    this.released ??= this.client.query('ROLLBACK').then(() => this.client.end());
    return this.released;
  }
}
