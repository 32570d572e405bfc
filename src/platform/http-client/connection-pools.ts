import type { Agent } from 'undici';
import { createGuardedConnector } from './guarded-connector.js';
import type { OutboundTargetsService } from './outbound-targets.service.js';

/** The number of connections of one pool to one host. */
export const CONNECTIONS_PER_HOST = 32;
/**
 * The number of hosts to which a pool may have connections at a time. A host goes when its last connection is closed, at
 * the latest {@link IDLE_MS} after its last response.
 */
const MAX_HOSTS = 256;
const IDLE_MS = 4000;
const MAX_IDLE_MS = 30_000;
const MAX_HEADER_BYTES = 16_384;
/** The number of pools beyond which those that no request uses are closed. */
const MAX_POOLS = 128;

interface Pool {
  readonly agent: Agent;
  requests: number;
}

/** Pools of connections by name. A request waits for no connection that a request of another pool has. */
export class ConnectionPools {
  private readonly pools = new Map<string, Pool>();
  private library: Promise<typeof import('undici')> | undefined;

  constructor(
    private readonly targets: OutboundTargetsService,
    private readonly maxResponseBytes: number,
  ) {}

  /** Sends with the connections of a pool, which is made when it does not exist. */
  async use<T>(name: string, send: (agent: Agent) => Promise<T>): Promise<T> {
    // A start does not need the library.
    this.library ??= import('undici');
    const pool = this.take(name, await this.library);
    pool.requests++;
    try {
      return await send(pool.agent);
    } finally {
      pool.requests--;
      if (this.pools.size > MAX_POOLS) this.closeIdle();
    }
  }

  /** Closes all connections, also those with requests in progress. */
  async close(): Promise<void> {
    await this.library;
    const all = [...this.pools.values()];
    this.pools.clear();
    await Promise.all(all.map(({ agent }) => agent.destroy()));
  }

  /** Returns a pool, from now on the last one in the order in which idle ones are closed. */
  private take(name: string, library: typeof import('undici')): Pool {
    const pool = this.pools.get(name) ?? { agent: this.open(library), requests: 0 };
    this.pools.delete(name);
    this.pools.set(name, pool);
    return pool;
  }

  private open({ Agent, buildConnector }: typeof import('undici')): Agent {
    return new Agent({
      connect: createGuardedConnector(buildConnector, this.targets),
      connections: CONNECTIONS_PER_HOST,
      pipelining: 1,
      allowH2: false,
      maxOrigins: MAX_HOSTS,
      maxHeaderSize: MAX_HEADER_BYTES,
      maxResponseSize: this.maxResponseBytes,
      keepAliveTimeout: IDLE_MS,
      keepAliveMaxTimeout: MAX_IDLE_MS,
    });
  }

  /** Closes idle pools, those first that were not used for the longest time. */
  private closeIdle(): void {
    for (const [name, { agent, requests }] of this.pools) {
      if (this.pools.size <= MAX_POOLS) return;
      if (requests > 0) continue;
      this.pools.delete(name);
      void agent.destroy();
    }
  }
}
