import { AsyncLocalStorage } from 'node:async_hooks';
import type pg from 'pg';
import { poolOf } from '../../../src/platform/database/database.module.js';
import type { TestApp } from '../app/test-app.js';

interface Watch {
  readonly sent: string[];
  /** The 1-based index of the statement; nothing breaks if it is never reached. */
  readonly breakBefore: number;
  broken: BrokenStatement | null;
}

/** The statement before which the connection was terminated. */
export interface BrokenStatement {
  readonly text: string;
  readonly inTransaction: boolean;
  /** True if it is the first statement after START TRANSACTION, which the service sends together with it. */
  readonly begins: boolean;
}

type Query = (...args: unknown[]) => unknown;

/** Fields of a connected client that pg's types omit. */
interface Connected {
  readonly processID: number;
  readonly getTransactionStatus: () => string;
}

const IDLE = 'I';
const END_WITHIN_MS = 5000;

/** Terminates the connection for the next statement in the middle of some work. */
export class ConnectionFaults {
  private readonly watched = new AsyncLocalStorage<Watch>();
  private readonly hooked = new WeakSet<object>();

  /** Takes `killer`, a superuser's connection. */
  constructor(
    app: TestApp,
    private readonly killer: pg.Client,
  ) {
    poolOf(app.dataSource).on('acquire', (client) => this.hook(client));
  }

  /** Returns the statements that the work sends, in order. */
  async statementsOf(work: () => Promise<unknown>): Promise<string[]> {
    const watch = { sent: [], breakBefore: Infinity, broken: null };
    await this.watched.run(watch, work);
    return watch.sent;
  }

  /** Terminates the server process before it receives that statement, and returns how the work ended. */
  async breaksBefore(
    statement: number,
    work: () => Promise<unknown>,
  ): Promise<{ readonly failed: boolean; readonly broken: BrokenStatement | null }> {
    const watch: Watch = { sent: [], breakBefore: statement, broken: null };
    const failed = await this.watched.run(watch, work).then(
      () => false,
      () => true,
    );
    return { failed, broken: watch.broken };
  }

  private hook(client: pg.PoolClient): void {
    if (this.hooked.has(client)) return;
    this.hooked.add(client);
    const query = client.query.bind(client) as Query;
    const { processID, getTransactionStatus } = client as unknown as Connected;
    let previous = '';
    const watching: Query = async (...args) => {
      const watch = this.watched.getStore();
      const begins = previous === 'START TRANSACTION';
      previous = textOf(args[0]);
      if (watch) {
        watch.sent.push(textOf(args[0]));
        if (watch.sent.length === watch.breakBefore) {
          const inTransaction = getTransactionStatus.call(client) !== IDLE;
          watch.broken = { text: textOf(args[0]), inTransaction, begins };
          await this.end(processID);
        }
      }
      return query(...args);
    };
    Object.assign(client, { query: watching });
  }

  /**
   * Terminates the process and polls until it is gone, because PostgreSQL itself would check only every 100
   * ms.
   */
  private async end(processID: number): Promise<void> {
    await this.killer.query('SELECT pg_terminate_backend($1)', [processID]);
    const running = async () =>
      (await this.killer.query('SELECT FROM pg_stat_activity WHERE pid = $1', [processID])).rowCount !== 0;
    for (const deadline = Date.now() + END_WITHIN_MS; await running();) {
      if (Date.now() > deadline) throw new Error(`the server process ${processID} did not end`);
    }
  }
}

const textOf = (statement: unknown): string =>
  typeof statement === 'string' ? statement : (statement as { text: string }).text;
