import { connect, type Socket } from 'node:net';
import { setTimeout as sleep } from 'node:timers/promises';
import type pg from 'pg';
import { type Backends, processIdOf } from './backends.js';
import { streamOf } from './cancellation.js';
import { BackgroundLogger } from '../logging/background-logger.js';

/** An SSLRequest (PostgreSQL protocol, 54.2.10): servers and poolers answer it before anybody signs in. */
const SSL_REQUEST = Buffer.from([0, 0, 0, 8, 4, 210, 22, 47]);
const LOOK_EVERY_MS = 250;
/** When statements are under way and none has been answered for so long, the path is tried. */
const SUSPICIOUS_AFTER_MS = 1500;
/** The path is dead when a new connection is not answered by then either. */
const PROBE_TIMEOUT_MS = 1500;
/** Short, because a SYN that was lost is repeated only after a second: a new one is sooner there. */
const RETURN_PROBE_TIMEOUT_MS = 700;
const RETURN_PROBE_EVERY_MS = 100;

/** A statement that is unanswered for so long is looked at, and again whenever it has become twice as old. */
const LOOK_AT_AFTER_MS = 1000;
/** The answer of a process that has been idle for so long is lost, or it has never heard the statement. */
const LOST_AFTER_MS = 500;

interface Activity {
  readonly since: number;
  /** The client that sent a statement; null while one connects. */
  readonly client: pg.Client | null;
  lookAt: number;
}

/**
 * Watches the path from a pool to its database. A path on which packets vanish, or a server that stands still,
 * fails no connection: each request would wait on its own until its time is over, and long after the path is
 * back for the repeated packets of old connections. So the silence of all of them at once is noticed here, and
 * all of them are thrown away together. Until a probe is answered new ones are refused at once.
 *
 * A path can also come back without its old connections, as behind a firewall that has forgotten them. So a
 * client that stays silent while the server answers others is thrown away when the server's process waits for it.
 */
export class DatabasePath {
  private readonly logger = new BackgroundLogger('Database');
  private readonly clients = new Set<pg.Client>();
  /** What waits for an answer, the oldest first. */
  private readonly activities = new Set<Activity>();
  private heardAt = performance.now();
  private timer: NodeJS.Timeout | undefined;
  private looking = false;
  private comparing = false;
  private loss: Error | null = null;
  private closed = false;

  constructor(private readonly backends: Backends) {}

  /** Why there is no connection to be had now; null when there may be one. */
  get lost(): Error | null {
    return this.loss;
  }

  /** Adds a client that begins to connect. */
  add(client: pg.Client): void {
    this.clients.add(client);
    client.once('end', () => this.remove(client));
  }

  remove(client: pg.Client): void {
    this.clients.delete(client);
  }

  /**
   * Notes that the database is asked something, by that client or, with null, for a connection.
   * @returns what to call at the end; `heard`: it has answered
   */
  begin(client: pg.Client | null): (heard: boolean) => void {
    const since = performance.now();
    const activity = { since, client, lookAt: since + LOOK_AT_AFTER_MS };
    this.activities.add(activity);
    this.lookLater();
    return (heard) => {
      this.activities.delete(activity);
      if (heard) this.heardAt = performance.now();
    };
  }

  close(): void {
    this.closed = true;
    clearTimeout(this.timer);
  }

  private lookLater(): void {
    if (this.timer || this.looking || this.closed) return;
    this.timer = setTimeout(() => void this.look(), LOOK_EVERY_MS).unref();
  }

  private async look(): Promise<void> {
    this.timer = undefined;
    const [oldest] = this.activities;
    const [client] = this.clients;
    if (!oldest || !client || this.loss) return;
    void this.throwAwayDead();
    const { heardAt } = this;
    const silence = performance.now() - Math.max(oldest.since, heardAt);
    if (silence >= SUSPICIOUS_AFTER_MS) {
      this.looking = true;
      const reachable = await answers(client, PROBE_TIMEOUT_MS);
      this.looking = false;
      if (reachable) this.heardAt = performance.now();
      else if (this.heardAt === heardAt && this.activities.has(oldest)) this.lose(client);
    }
    if (this.activities.size > 0) this.lookLater();
  }

  /** Compares what is unanswered with what the server does. */
  private async throwAwayDead(): Promise<void> {
    const now = performance.now();
    const due = [...this.activities].filter(({ lookAt }) => lookAt <= now);
    const clients = new Set(due.flatMap(({ client }) => (client ? [client] : [])));
    if (clients.size === 0 || this.comparing) return;
    this.comparing = true;
    // Without an answer the whole path is in doubt, and is tried.
    const states = await this.backends.look([...clients].map(processIdOf)).catch(() => undefined);
    // An answer that has come meanwhile is read first.
    await new Promise((resolve) => setImmediate(() => setImmediate(resolve)));
    this.comparing = false;
    if (states === undefined) return;
    for (const activity of due) activity.lookAt = now + (now - activity.since);
    // Behind a pooler nothing can be compared.
    if (states === null) return;
    const unanswered = new Set(due.flatMap((each) => (this.activities.has(each) ? [each.client] : [])));
    for (const client of clients) {
      if (!unanswered.has(client)) continue;
      const state = states.get(processIdOf(client));
      if (!state || (state.idleMs !== null && state.idleMs > LOST_AFTER_MS))
        streamOf(client).destroy(new Error('Connection terminated: it is dead, and the database is not'));
    }
  }

  private lose(witness: pg.Client): void {
    this.loss = new Error('Connection terminated: the database does not answer');
    this.logger.warn('The database does not answer: all connections to it are given up');
    for (const client of this.clients) streamOf(client).destroy(this.loss);
    void this.awaitReturn(witness);
  }

  private async awaitReturn(address: pg.Client): Promise<void> {
    while (!this.closed && !(await answers(address, RETURN_PROBE_TIMEOUT_MS))) {
      await sleep(RETURN_PROBE_EVERY_MS, null, { ref: false });
    }
    this.loss = null;
    if (!this.closed) this.logger.warn('The database answers again');
  }
}

/** Whether whoever listens at the client's address answers a new connection. */
function answers({ host, port }: pg.Client, timeoutMs: number): Promise<boolean> {
  return new Promise((resolve) => {
    const socket: Socket = host.startsWith('/') ? connect(`${host}/.s.PGSQL.${port}`) : connect(port, host);
    socket.unref();
    const settle = (answered: boolean) => {
      clearTimeout(timer);
      socket.destroy();
      resolve(answered);
    };
    // After a pause of this process the answer may be there already: it is read before that is judged.
    const timer = setTimeout(() => setImmediate(settle, false), timeoutMs).unref();
    socket.once('data', () => settle(true));
    socket.on('error', () => settle(false));
    socket.once('close', () => settle(false));
    socket.write(SSL_REQUEST);
  });
}
