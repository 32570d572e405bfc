import type { Duplex } from 'node:stream';
import type { ConnectionOptions } from 'node:tls';
import type pg from 'pg';
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

/** Cancels the statement that a client runs, when the request's time is over or `limitMs` have passed. */
export class Cancellation {
  /** Whether `limitMs` passed first. */
  overdue = false;
  private giveUp: NodeJS.Timeout | undefined;
  private readonly timer: NodeJS.Timeout | undefined;

  constructor(
    private readonly client: pg.Client,
    private readonly signal: AbortSignal | undefined,
    limitMs: number | null,
  ) {
    signal?.addEventListener('abort', this.cancel);
    if (limitMs !== null) this.timer = setTimeout(this.onLimit, limitMs);
  }

  /** To be called when the statement is over. */
  end(): void {
    this.signal?.removeEventListener('abort', this.cancel);
    clearTimeout(this.timer);
    clearTimeout(this.giveUp);
    // The cancel may arrive late, when the connection already serves somebody else: part with it.
    if (this.giveUp) void this.client.end();
  }

  private readonly onLimit = (): void => {
    this.overdue = true;
    this.cancel();
  };

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
