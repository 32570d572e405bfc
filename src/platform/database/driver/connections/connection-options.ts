import type { ConnectionOptions } from 'node:tls';
import pg from 'pg';
import { readDatabaseAddress } from '../../../../config/database-address.js';

/** The time for which a negotiated TLS decision is reused; servers seldom change it. */
const DECISION_MS = 60_000;
const ATTEMPT_TIMEOUT_MS = 5000;
/**
 * The idle time before TCP keep-alive starts. Node.js then probes every second and gives up after ten probes.
 */
const KEEP_ALIVE_AFTER_MS = 10_000;
/**
 * Options for all our connections, so that none outlives its path for long, however long it waits for an
 * answer.
 */
const KEPT_ALIVE = { keepAlive: true, keepAliveInitialDelayMillis: KEEP_ALIVE_AFTER_MS } as const;

export interface ServerConnection {
  readonly connectionString: string;
  readonly ssl: ConnectionOptions | false;
  readonly keepAlive: true;
  readonly keepAliveInitialDelayMillis: number;
  /** The class whose clients connect as the address says; pools take it as an option. */
  readonly Client: typeof pg.Client;
}

/** Returns the driver options for this address. Every connection of the service is created from them. */
export function connectionOptions(address: string): ServerConnection {
  const { url, mode, tls } = readDatabaseAddress(address);
  const plain = { connectionString: url, ssl: false as const, ...KEPT_ALIVE };
  if (!tls) return { ...plain, Client: pg.Client };
  const encrypted = { ...plain, ssl: tls };
  if (mode === 'prefer') return { ...encrypted, Client: negotiating([encrypted, plain]) };
  if (mode === 'allow') return { ...encrypted, Client: negotiating([plain, encrypted]) };
  return { ...encrypted, Client: pg.Client };
}

type Attempt = Omit<ServerConnection, 'Client'>;

/** The client fields that decide about TLS, which pg's types omit. */
interface Negotiable {
  ssl: ConnectionOptions | false;
  readonly connection: { ssl: ConnectionOptions | false };
}

/**
 * Makes a client class that connects with the first attempt the server accepts, as the modes `prefer` and
 * `allow` require. The driver cannot try twice, so a throwaway connection finds out which attempt works.
 */
function negotiating(attempts: readonly [Attempt, Attempt]): typeof pg.Client {
  let decision: { readonly ssl: ConnectionOptions | false; readonly until: number } | null = null;

  async function decide(): Promise<ConnectionOptions | false> {
    if (decision && decision.until > performance.now()) return decision.ssl;
    const [first, second] = attempts;
    const { ssl } = await canConnect(first)
      .then(() => first)
      .catch(async (error: unknown) => {
        // The first error is more useful, because the second attempt is only a fallback.
        await canConnect(second).catch(() => Promise.reject(error));
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

async function canConnect(attempt: Attempt): Promise<void> {
  const client = new pg.Client({ ...attempt, connectionTimeoutMillis: ATTEMPT_TIMEOUT_MS });
  client.on('error', () => undefined);
  await client.connect();
  await client.end();
}
