import type { Duplex } from 'node:stream';
import type { ConnectionOptions } from 'node:tls';
import type pg from 'pg';
import { type Backends, processIdOf } from './backends.js';
import { cancelQuery } from './cancel-query.js';

/** What pg keeps on a connected client, and its types leave out. */
interface Backend {
  readonly processID: number;
  readonly secretKey: number;
  readonly ssl: ConnectionOptions | false;
  readonly connection: { readonly stream: Duplex };
}

/** A server that has not let go of a cancelled query by then is not heard from: the path to it is dead. */
const CANCEL_GRACE_MS = 500;
/** A statement that was busy when its time for locks was over is looked at again after this. */
const LOOK_AGAIN_MS = 500;

/** The longest that a statement takes in which it waits for locks. */
export interface LockLimit {
  readonly milliseconds: number;
  /** Tell a statement that waits for a lock from one that takes long. */
  readonly backends: Backends;
}

/** Cancels the statement that a client runs, when the request's time is over or it waits for a lock past the limit. */
export class Cancellation {
  /** Whether the statement was cancelled because it waited for a lock. */
  overdue = false;
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

  /** To be called when the statement is over. */
  end(): void {
    this.ended = true;
    this.signal?.removeEventListener('abort', this.cancel);
    clearTimeout(this.timer);
    clearTimeout(this.giveUp);
    // The cancel may arrive late, when the connection already serves somebody else: part with it.
    if (this.giveUp) void this.client.end();
  }

  private look(backends: Backends, afterMs: number): void {
    this.timer = setTimeout(() => void this.cancelIfWaiting(backends), afterMs);
  }

  private async cancelIfWaiting(backends: Backends): Promise<void> {
    const pid = processIdOf(this.client);
    // A path that is dead is noticed elsewhere.
    const states = await backends.look([pid]).catch(() => undefined);
    // Behind a pooler nothing can tell; each lock has a timeout of its own.
    if (this.ended || states === null) return;
    if (!states?.get(pid)?.waitsForLock) return this.look(backends, LOOK_AGAIN_MS);
    this.overdue = true;
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
