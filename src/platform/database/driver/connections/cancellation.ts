import type { Duplex } from 'node:stream';
import type { ConnectionOptions } from 'node:tls';
import type pg from 'pg';
import { type BackendStateReader, processIdOf } from './backend-state.reader.js';
import { cancelQuery } from './cancel-query.js';

/** Fields of a connected client that pg's types omit. */
interface Backend {
  readonly processID: number;
  readonly secretKey: number;
  readonly ssl: ConnectionOptions | false;
  readonly connection: { readonly stream: Duplex };
}

/** If the server has not ended a cancelled query within this time, the path to it counts as dead. */
const CANCEL_GRACE_MS = 500;
/** The time after which a statement that was busy at the end of its lock wait is checked again. */
const LOOK_AGAIN_MS = 500;

/** The limit on a statement's wait for locks. */
export interface LockLimit {
  readonly milliseconds: number;
  /** Distinguishes a statement that waits for a lock from one that takes long. */
  readonly backends: BackendStateReader;
}

/**
 * Cancels a client's running statement when the request times out or the statement waits for a lock beyond
 * the limit.
 */
export class Cancellation {
  /** True when the statement was cancelled because it waited for a lock. */
  timedOut = false;
  private ended = false;
  private giveUp: NodeJS.Timeout | undefined;
  private timer: NodeJS.Timeout | undefined;

  constructor(
    private readonly client: pg.Client,
    private readonly signal: AbortSignal | undefined,
    limit: LockLimit | null,
  ) {
    signal?.addEventListener('abort', this.cancel);
    if (limit) this.look(limit.backends, limit.milliseconds);
  }

  /** Stops the timers. Must be called when the statement is over. */
  end(): void {
    this.ended = true;
    this.signal?.removeEventListener('abort', this.cancel);
    clearTimeout(this.timer);
    clearTimeout(this.giveUp);
    // The cancel may arrive late and hit the next caller's statement, so the connection is closed.
    if (this.giveUp) void this.client.end();
  }

  private look(backends: BackendStateReader, afterMs: number): void {
    this.timer = setTimeout(() => void this.cancelIfWaiting(backends), afterMs);
  }

  private async cancelIfWaiting(backends: BackendStateReader): Promise<void> {
    const pid = processIdOf(this.client);
    // Other code notices a dead path.
    const states = await backends.look([pid]).catch(() => undefined);
    // Behind a pooler the wait is invisible; each lock has its own timeout there.
    if (this.ended || states === null) return;
    if (!states?.get(pid)?.waitsForLock) return this.look(backends, LOOK_AGAIN_MS);
    this.timedOut = true;
    this.cancel();
  }

  private readonly cancel = (): void => {
    if (this.giveUp) return;
    const { processID: processId, secretKey, ssl } = backend(this.client);
    const { host, port } = this.client;
    cancelQuery({ host, port, ssl: ssl || null, processId, secretKey });
    this.giveUp = setTimeout(() => streamOf(this.client).destroy(), CANCEL_GRACE_MS);
  };
}

export const streamOf = (client: pg.Client): Duplex => backend(client).connection.stream;

const backend = (client: pg.Client): Backend => client as unknown as Backend;
