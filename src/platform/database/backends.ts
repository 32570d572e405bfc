import pg from 'pg';
import type { ConnectionTo } from './connection-to.js';

/** Short next to the time that a request may wait: a look that fails is repeated later. */
const LOOK_TIMEOUT_MS = 1500;

/** What the server says of one of its processes. */
export interface BackendState {
  /** Time for which it has waited for the next statement; null while it runs one, or does not say. */
  readonly idleMs: number | null;
  /** Whether it waits for a lock that another session holds. */
  readonly waitsForLock: boolean;
}

/** The states by process id. A process that is not there has ended. */
export type BackendStates = ReadonlyMap<number, BackendState>;

/** `state` is null where the role may not see it, and `disabled` where the server does not keep it. */
const LOOK = `
  SELECT pid, wait_event_type = 'Lock' AS "waitsForLock",
         CASE WHEN state LIKE 'idle%'
              THEN extract(epoch FROM clock_timestamp() - state_change)::float8 * 1000 END AS "idleMs"
  FROM pg_stat_activity WHERE pid = ANY ($1) OR pid = pg_backend_pid()`;

/**
 * Asks the server what processes of the service's own do, over a connection that is made for it: those of the pool
 * may all wait, or be dead. Callers that ask at the same time share one look.
 */
export class Backends {
  private asked = new Set<number>();
  private next: Promise<BackendStates | null> | null = null;
  private running: Promise<unknown> = Promise.resolve();
  private isBlind = false;

  constructor(private readonly server: ConnectionTo) {}

  /** Whether the last look has found a pooler, behind which nothing is to be seen. */
  get blind(): boolean {
    return this.isBlind;
  }

  /**
   * @returns null behind a pooler: it makes up process ids of its own
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
      // Not politely: on a dead path no goodbye is answered.
      client.connection.stream.destroy();
    }
  }
}

/** What pg keeps on a connected client, and its types leave out. */
export const processIdOf = (client: pg.Client): number =>
  (client as unknown as { readonly processID: number }).processID;
