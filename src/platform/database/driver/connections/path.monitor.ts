import { connect, type Socket } from 'node:net';
import { setTimeout as sleep } from 'node:timers/promises';
import type pg from 'pg';
import { type BackendStateReader, processIdOf } from './backend-state.reader.js';
import { streamOf } from './cancellation.js';
import { BackgroundLogger } from '../../../logging/background.logger.js';

/** An SSLRequest (PostgreSQL protocol, 54.2.10). Servers and poolers answer it before authentication. */
const SSL_REQUEST = Buffer.from([0, 0, 0, 8, 4, 210, 22, 47]);
const CHECK_INTERVAL_MS = 250;
/** The silence, while statements are in progress, after which the path is probed. */
const SUSPICIOUS_AFTER_MS = 1500;
/** The path is dead when a new connection is not answered within this time either. */
const PROBE_TIMEOUT_MS = 1500;
/** Short, because a lost SYN is repeated only after a second; a new connection gets through sooner. */
const RETURN_PROBE_TIMEOUT_MS = 700;
const RETURN_PROBE_EVERY_MS = 100;

/**
 * The time after which an unanswered statement is checked; it is checked again whenever its age has doubled.
 */
const LOOK_AT_AFTER_MS = 1000;
/**
 * If a server process has been idle for this long, its answer was lost or it never received the statement.
 */
const LOST_AFTER_MS = 500;

interface Activity {
  readonly since: number;
  /** The client that sent the statement; null for a connection attempt. */
  readonly client: pg.Client | null;
  lookAt: number;
}

/**
 * Watches the path from a pool to its database. When packets vanish or the server freezes, no connection
 * fails: each request would wait until its own timeout. Old connections would stay stuck long after the path
 * is back, until TCP retransmits. This class notices when all connections are silent at once and closes them
 * together. It refuses new connections until a probe is answered.
 *
 * A path can also return without its old connections, for example behind a firewall that has forgotten them.
 * A client that stays silent while the server answers others is therefore closed when its server process
 * waits for it.
 */
export class PathMonitor {
  private readonly logger = new BackgroundLogger('Database');
  private readonly clients = new Set<pg.Client>();
  /** Statements and connects that wait for an answer, oldest first. */
  private readonly activities = new Set<Activity>();
  private heardAt = performance.now();
  private timer: NodeJS.Timeout | undefined;
  private checking = false;
  private comparing = false;
  private loss: Error | null = null;
  private closed = false;

  constructor(private readonly backends: BackendStateReader) {}

  /** Why there is no connection to be had now; null when there may be one. */
  get lost(): Error | null {
    return this.loss;
  }

  /** Adds a client that is about to connect. */
  add(client: pg.Client): void {
    this.clients.add(client);
    client.once('end', () => this.remove(client));
  }

  remove(client: pg.Client): void {
    this.clients.delete(client);
  }

  /**
   * Records that an operation on the database begins: a statement of `client`, or with null a connection
   * attempt.
   * @returns the function to call at its end; `heard` is true when the database answered
   */
  begin(client: pg.Client | null): (heard: boolean) => void {
    const since = performance.now();
    const activity = { since, client, lookAt: since + LOOK_AT_AFTER_MS };
    this.activities.add(activity);
    this.scheduleCheck();
    return (heard) => {
      this.activities.delete(activity);
      if (heard) this.heardAt = performance.now();
    };
  }

  close(): void {
    this.closed = true;
    clearTimeout(this.timer);
  }

  private scheduleCheck(): void {
    if (this.timer || this.checking || this.closed) return;
    this.timer = setTimeout(() => void this.check(), CHECK_INTERVAL_MS).unref();
  }

  private async check(): Promise<void> {
    this.timer = undefined;
    const [oldest] = this.activities;
    const [client] = this.clients;
    if (!oldest || !client || this.loss) return;
    void this.throwAwayDead();
    const { heardAt } = this;
    const silence = performance.now() - Math.max(oldest.since, heardAt);
    if (silence >= SUSPICIOUS_AFTER_MS) {
      this.checking = true;
      const reachable = await acceptsConnections(client, PROBE_TIMEOUT_MS);
      this.checking = false;
      if (reachable) this.heardAt = performance.now();
      else if (this.heardAt === heardAt && this.activities.has(oldest)) this.declareLost(client);
    }
    if (this.activities.size > 0) this.scheduleCheck();
  }

  /** Compares unanswered statements with the states of their server processes. */
  private async throwAwayDead(): Promise<void> {
    const now = performance.now();
    const due = [...this.activities].filter(({ lookAt }) => lookAt <= now);
    const clients = new Set(due.flatMap(({ client }) => (client ? [client] : [])));
    if (clients.size === 0 || this.comparing) return;
    this.comparing = true;
    // Without an answer the whole path is in doubt, and is probed.
    const states = await this.backends.look([...clients].map(processIdOf)).catch(() => undefined);
    // An answer that arrived meanwhile is read first.
    await new Promise((resolve) => setImmediate(() => setImmediate(resolve)));
    this.comparing = false;
    if (states === undefined) return;
    for (const activity of due) activity.lookAt = now + (now - activity.since);
    // Behind a pooler the states cannot be compared.
    if (states === null) return;
    const unanswered = new Set(due.flatMap((each) => (this.activities.has(each) ? [each.client] : [])));
    for (const client of clients) {
      if (!unanswered.has(client)) continue;
      const state = states.get(processIdOf(client));
      if (!state || (state.idleMs !== null && state.idleMs > LOST_AFTER_MS))
        streamOf(client).destroy(new Error('Connection terminated: it is dead, but the database is not'));
    }
  }

  private declareLost(witness: pg.Client): void {
    this.loss = new Error('Connection terminated: the database does not answer');
    this.logger.warn('The database does not answer; closing all connections to it');
    for (const client of this.clients) streamOf(client).destroy(this.loss);
    void this.awaitReturn(witness);
  }

  private async awaitReturn(address: pg.Client): Promise<void> {
    while (!this.closed && !(await acceptsConnections(address, RETURN_PROBE_TIMEOUT_MS))) {
      await sleep(RETURN_PROBE_EVERY_MS, null, { ref: false });
    }
    this.loss = null;
    if (!this.closed) this.logger.warn('The database answers again');
  }
}

/** Tells whether the server at the client's address answers a new connection. */
function acceptsConnections({ host, port }: pg.Client, timeoutMs: number): Promise<boolean> {
  return new Promise((resolve) => {
    const socket: Socket = host.startsWith('/') ? connect(`${host}/.s.PGSQL.${port}`) : connect(port, host);
    socket.unref();
    const settle = (answered: boolean) => {
      clearTimeout(timer);
      socket.destroy();
      resolve(answered);
    };
    // After a pause of this process the answer may already have arrived, so it is read before the timeout
    // counts.
    const timer = setTimeout(() => setImmediate(settle, false), timeoutMs).unref();
    socket.once('data', () => settle(true));
    socket.on('error', () => settle(false));
    socket.once('close', () => settle(false));
    socket.write(SSL_REQUEST);
  });
}
