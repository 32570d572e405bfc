import pg from 'pg';

/** One statement of a batch. */
export interface BatchedStatement {
  readonly text: string;
  readonly values?: readonly unknown[] | undefined;
  /** The name under which the connection keeps the statement parsed. */
  readonly name?: string | undefined;
}

/** The parts of pg.Connection that statements use and pg's types omit. */
type Wire = pg.Connection & { readonly submittedNamedStatements: Record<string, string> };

/** The methods by which pg passes the server's messages to a query, which pg's types omit. */
interface RunningQuery {
  readonly name: string | undefined;
  readonly text: string;
  prepare: (connection: pg.Connection) => void;
  handleRowDescription: (message: unknown) => void;
  handleDataRow: (message: unknown) => void;
  handleCommandComplete: (message: unknown, connection: pg.Connection) => void;
  handleReadyForQuery: (connection: pg.Connection) => void;
}

/**
 * Statements that travel in one round trip. They share one Sync (PostgreSQL protocol, "Pipelining"): the server
 * runs them in order, and after an error it skips the rest, a COMMIT included. pg's own `pipeline` mode sends
 * a Sync after each statement. A failed START TRANSACTION would then leave the next statement in autocommit.
 */
export class StatementBatch implements pg.Submittable {
  /** Resolves to the result of one statement. Rejects with the error of the first one that fails. */
  readonly done: Promise<pg.QueryResult>;
  /** The index of the statement that runs or has failed. */
  index = 0;
  private readonly queries: readonly RunningQuery[];
  private succeed: (result: pg.QueryResult) => void = () => {};
  private fail: (error: unknown) => void = () => {};
  /** An error of this process: a value that cannot be sent, or a row that cannot be read. */
  private ownError: unknown = null;

  /** `wanted` is the index of the statement whose result is needed. */
  constructor(statements: readonly BatchedStatement[], wanted: number) {
    this.done = new Promise((resolve, reject) => {
      this.succeed = resolve;
      this.fail = reject;
    });
    this.queries = statements.map(({ text, values, name }, index) => {
      const config = { text, ...(name !== undefined && { name }), values: values && [...values] };
      const query = new pg.Query(config as pg.QueryConfig, (error, result) => {
        if (error) this.ownError ??= error;
        else if (index === wanted) this.succeed(result);
      });
      return query as unknown as RunningQuery;
    });
  }

  /** The name and text of the running statement. pg remembers them once the server has parsed it. */
  get name(): string | undefined {
    return this.current?.name;
  }

  get text(): string | undefined {
    return this.current?.text;
  }

  submit(connection: pg.Connection): void {
    const withoutSync = Object.create(connection, { sync: { value: () => {} } }) as pg.Connection;
    connection.stream.cork();
    try {
      for (const query of this.queries) {
        query.prepare(withoutSync);
        // The statements after one that cannot be sent must not run.
        if (this.ownError !== null) break;
      }
      connection.sync();
    } finally {
      connection.stream.uncork();
    }
  }

  handleRowDescription(message: unknown): void {
    this.current?.handleRowDescription(message);
  }

  handleDataRow(message: unknown): void {
    this.current?.handleDataRow(message);
  }

  handleCommandComplete(message: unknown, connection: pg.Connection): void {
    this.current?.handleCommandComplete(message, connection);
    this.index++;
  }

  handleEmptyQuery(): void {
    this.index++;
  }

  handleError(error: unknown, connection: pg.Connection): void {
    const { submittedNamedStatements } = connection as Wire;
    // The server has skipped these, so it has parsed none of them.
    for (const { name } of this.queries.slice(this.index)) {
      if (name !== undefined) delete submittedNamedStatements[name];
    }
    this.fail(error);
  }

  handleReadyForQuery(connection: pg.Connection): void {
    if (this.ownError === null) for (const query of this.queries) query.handleReadyForQuery(connection);
    if (this.ownError !== null) this.handleError(this.ownError, connection);
  }

  private get current(): RunningQuery | undefined {
    return this.queries[this.index];
  }
}
