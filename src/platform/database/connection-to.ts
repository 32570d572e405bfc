import type { ConnectionOptions } from 'node:tls';
import pg from 'pg';
import { readDatabaseAddress } from '../../config/database-address.js';

/** An answer to "encrypted or not" holds for this long; a server seldom changes it. */
const DECISION_MS = 60_000;
const TRIAL_TIMEOUT_MS = 5000;
/** An idle connection is checked after this; Node.js then asks each second, and gives up after the tenth time. */
const KEEP_ALIVE_AFTER_MS = 10_000;
/** No connection of ours outlives its path for long, however long it waits for an answer. */
const KEPT_ALIVE = { keepAlive: true, keepAliveInitialDelayMillis: KEEP_ALIVE_AFTER_MS } as const;

export interface ConnectionTo {
  readonly connectionString: string;
  readonly ssl: ConnectionOptions | false;
  readonly keepAlive: true;
  readonly keepAliveInitialDelayMillis: number;
  /** The class whose clients connect as the address says; pools take it as an option. */
  readonly Client: typeof pg.Client;
}

/** Returns what the driver needs for a connection to this address: every connection of ours is made from it. */
export function connectionTo(address: string): ConnectionTo {
  const { url, mode, tls } = readDatabaseAddress(address);
  const plain = { connectionString: url, ssl: false as const, ...KEPT_ALIVE };
  if (!tls) return { ...plain, Client: pg.Client };
  const encrypted = { ...plain, ssl: tls };
  if (mode === 'prefer') return { ...encrypted, Client: negotiating([encrypted, plain]) };
  if (mode === 'allow') return { ...encrypted, Client: negotiating([plain, encrypted]) };
  return { ...encrypted, Client: pg.Client };
}

type Attempt = Omit<ConnectionTo, 'Client'>;

/** What a client decides by, and its types leave out. */
interface Negotiable {
  ssl: ConnectionOptions | false;
  readonly connection: { ssl: ConnectionOptions | false };
}

/**
 * Makes the class of clients that connect in the first of these ways that the server accepts, as `prefer` and
 * `allow` ask for. The driver cannot try twice, so a connection that is thrown away tells which way works.
 */
function negotiating(attempts: readonly [Attempt, Attempt]): typeof pg.Client {
  let decision: { readonly ssl: ConnectionOptions | false; readonly until: number } | null = null;

  async function decide(): Promise<ConnectionOptions | false> {
    if (decision && decision.until > performance.now()) return decision.ssl;
    const [first, second] = attempts;
    const { ssl } = await connects(first)
      .then(() => first)
      .catch(async (error: unknown) => {
        // The first refusal tells more: the second way is what nobody has asked for.
        await connects(second).catch(() => Promise.reject(error));
        return second;
      });
    decision = { ssl, until: performance.now() + DECISION_MS };
    return ssl;
  }

  return class NegotiatingClient extends pg.Client {
    override connect(): Promise<pg.Client>;
    override connect(callback: (error: Error) => void): void;
    override connect(callback?: (error: Error) => void): Promise<pg.Client> | void {
      const connected = this.negotiate();
      if (!callback) return connected;
      connected.then(
        () => process.nextTick(callback),
        (error: Error) => process.nextTick(callback, error),
      );
    }

    private async negotiate(): Promise<pg.Client> {
      const ssl = await decide();
      const client = this as unknown as Negotiable;
      client.ssl = ssl;
      client.connection.ssl = ssl;
      try {
        await super.connect();
        return this;
      } catch (error) {
        decision = null;
        throw error;
      }
    }
  };
}

async function connects(attempt: Attempt): Promise<void> {
  const client = new pg.Client({ ...attempt, connectionTimeoutMillis: TRIAL_TIMEOUT_MS });
  client.on('error', () => undefined);
  await client.connect();
  await client.end();
}
