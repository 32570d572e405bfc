import pg from 'pg';
import type { ServerConnection } from './connection-options.js';

/** Short compared with the time that a request may wait; a failed look is repeated later. */
const LOOK_TIMEOUT_MS = 1500;

/** The state of a server process, as PostgreSQL reports it. */
export interface BackendState {
  /** The time since the process became idle; null while it runs a statement, or when unknown. */
  readonly idleMs: number | null;
  /** True when the process waits for a lock that another session holds. */
  readonly waitsForLock: boolean;
}

/** States by process ID. A missing process has ended. */
export type BackendStates = ReadonlyMap<number, BackendState>;

/**
 * Selects the states. `state` is null where the role may not see it, and `disabled` where the server does not
 * track it.
 */
const LOOK = `
  SELECT pid, wait_event_type = 'Lock' AS "waitsForLock",
         CASE WHEN state LIKE 'idle%'
              THEN extract(epoch FROM clock_timestamp() - state_change)::float8 * 1000 END AS "idleMs"
  FROM pg_stat_activity WHERE pid = ANY ($1) OR pid = pg_backend_pid()`;

/**
 * Asks the server for the state of the service's own processes. Opens a new connection for it, because those
 * of the pool may all be waiting or dead. Concurrent callers share one look.
 */
export class BackendStateReader {
  private asked = new Set<number>();
  private next: Promise<BackendStates | null> | null = null;
  private running: Promise<unknown> = Promise.resolve();
  private isBlind = false;

  constructor(private readonly server: ServerConnection) {}

  /** True when the last look found a pooler, behind which no process is visible. */
  get blind(): boolean {
    return this.isBlind;
  }

  /**
   * Looks up these processes.
   * @returns null behind a pooler, which invents its own process IDs
   * @throws when the server does not answer within some seconds
   */
  look(pids: readonly number[]): Promise<BackendStates | null> {
    for (const pid of pids) this.asked.add(pid);
    this.next ??= this.running.then(() => {
      const asked = [...this.asked];
      this.asked = new Set();
      this.next = null;
      const looked = this.ask(asked);
      this.running = looked.catch(() => undefined);
      return looked;
    });
    return this.next;
  }

  private async ask(pids: readonly number[]): Promise<BackendStates | null> {
    const { Client, ...address } = this.server;
    const client = new Client({
      ...address,
      application_name: 'gatehouse:watch',
      connectionTimeoutMillis: LOOK_TIMEOUT_MS,
      query_timeout: LOOK_TIMEOUT_MS,
    });
    client.on('error', () => undefined);
    try {
      await client.connect();
      const { rows } = await client.query<BackendState & { pid: number }>(LOOK, [pids]);
      const states = new Map(rows.map(({ pid, ...state }) => [pid, state]));
      this.isBlind = !states.has(processIdOf(client));
      return this.isBlind ? null : states;
    } finally {
      // Destroyed without a goodbye, because a dead path never answers one.
      client.connection.stream.destroy();
    }
  }
}

/** Returns the server process ID of a connected client, which pg's types omit. */
export const processIdOf = (client: pg.Client): number =>
  (client as unknown as { readonly processID: number }).processID;
