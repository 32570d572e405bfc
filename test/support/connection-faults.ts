import { AsyncLocalStorage } from 'node:async_hooks';
import type pg from 'pg';
import { poolOf } from '../../src/platform/database/database.module.js';
import type { TestApp } from './test-app.js';

interface Watch {
  readonly sent: string[];
  /** Counted from 1; nothing is broken when it is never reached. */
  readonly breakBefore: number;
}

type Query = (...args: unknown[]) => unknown;

/** Ends, in the middle of some work, the connection on which its next statement would go. */
export class ConnectionFaults {
  private readonly watched = new AsyncLocalStorage<Watch>();
  private readonly hooked = new WeakSet<object>();

  /** `killer`: of a superuser. */
  constructor(
    app: TestApp,
    private readonly killer: pg.Client,
  ) {
    poolOf(app.dataSource).on('acquire', (client) => this.hook(client));
  }

  /** The statements that the work sends, in order. */
  async statementsOf(work: () => Promise<unknown>): Promise<string[]> {
    const watch = { sent: [], breakBefore: Infinity };
    await this.watched.run(watch, work);
    return watch.sent;
  }

  /** The server's process is ended before it sees that statement. @returns whether the work failed */
  async breaksBefore(statement: number, work: () => Promise<unknown>): Promise<boolean> {
    try {
      await this.watched.run({ sent: [], breakBefore: statement }, work);
      return false;
    } catch {
      return true;
    }
  }

  private hook(client: pg.PoolClient): void {
    if (this.hooked.has(client)) return;
    this.hooked.add(client);
    const query = client.query.bind(client) as Query;
    const { processID } = client as unknown as { processID: number };
    const watching: Query = async (...args) => {
      const watch = this.watched.getStore();
      if (watch) {
        watch.sent.push(textOf(args[0]));
        if (watch.sent.length === watch.breakBefore) {
          await this.killer.query('SELECT pg_terminate_backend($1, 5000)', [processID]);
        }
      }
      return query(...args);
    };
    Object.assign(client, { query: watching });
  }
}

const textOf = (statement: unknown): string =>
  typeof statement === 'string' ? statement : (statement as { text: string }).text;
