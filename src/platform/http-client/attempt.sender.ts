import type { Agent, Dispatcher } from 'undici';
import { requestContext } from '../../common/context/request-context.js';
import { formatTraceparent, newTraceIdBytes } from '../../common/context/trace.js';
import { traceContext } from '../../common/context/trace-context.js';
import { type Answer, Attempt } from './attempt.js';
import { CONNECTIONS_PER_HOST, ConnectionPools } from './connection-pools.js';
import { classifyFailure, OutboundFailureError, type OutboundOutcome } from './outbound-outcome.js';
import { inAttemptSpan } from './attempt-span.js';
import type { OutboundTargetsService } from './outbound-targets.service.js';

const DEFAULT_TIMEOUT_MS = 10_000;
const DEFAULT_MAX_BYTES = 1_048_576;
/** The number of requests to one host from one pool that are sent or wait for a connection. */
const MAX_REQUESTS_PER_HOST = 256;
/** The size of a response that no caller may exceed. */
const MAX_RESPONSE_BYTES = 16_777_216;

export interface OutboundRequest {
  readonly method: 'GET' | 'POST';
  readonly url: string;
  readonly headers: Readonly<Record<string, string>>;
  readonly body?: string | Buffer;
  /** The time limit from the call to the last byte of the response, in milliseconds; 10,000 by default. */
  readonly timeoutMs?: number;
  /** The maximum size of the response; 1 MiB by default, 16 MiB at most. */
  readonly maxBytes?: number;
  readonly signal?: AbortSignal;
  /**
   * The name of a pool of connections of its own. A request waits for no connection that a request of another pool has,
   * also to the same host. Its caller bounds how many it sends at once. By default the connections of the host are shared.
   */
  readonly pool?: string;
}

/** The requests of one pool to one host: the number of those that have a connection, and the starts of those that wait for one. */
interface Host {
  running: number;
  readonly waiting: Set<() => void>;
}

/** Sends one request, without retries and without following a redirect. */
export class AttemptSender {
  private readonly pools: ConnectionPools;
  /** The hosts by their address and the name of the pool. */
  private readonly hosts = new Map<string, Host>();

  constructor(private readonly targets: OutboundTargetsService) {
    this.pools = new ConnectionPools(targets, MAX_RESPONSE_BYTES);
  }

  /** Never throws for what the other side does. */
  send(request: OutboundRequest): Promise<OutboundOutcome> {
    return inAttemptSpan(request, () => this.sendWithin(request));
  }

  /** Closes all connections, also those with requests in progress. */
  close(): Promise<void> {
    return this.pools.close();
  }

  private async sendWithin(request: OutboundRequest): Promise<OutboundOutcome> {
    const startedAt = performance.now();
    try {
      const fault = this.targets.faultOf(request.url, 'The URL');
      if (fault !== null) throw new OutboundFailureError('refused_target', fault);
      const answer = await this.pools.use(request.pool ?? '', (agent) => this.exchange(agent, request));
      return { ok: true, ...answer, durationMs: performance.now() - startedAt };
    } catch (error) {
      return { ok: false, ...classifyFailure(error), durationMs: performance.now() - startedAt };
    }
  }

  /** Handles the events of the library itself, because its stream for each response costs as much as the request. */
  private async exchange(agent: Agent, request: OutboundRequest): Promise<Answer> {
    const { timeoutMs = DEFAULT_TIMEOUT_MS, signal } = request;
    if (signal?.aborted) throw cancelled();
    const { origin, pathname, search } = new URL(request.url);
    const options: Dispatcher.DispatchOptions = {
      origin,
      path: pathname + search,
      method: request.method,
      headers: { 'user-agent': 'Gatehouse', traceparent: traceparent(), ...lowerCased(request.headers) },
      body: request.body ?? null,
    };
    const place = `${origin} ${request.pool ?? ''}`;
    const host = this.enter(place);
    const maxBytes = Math.min(request.maxBytes ?? DEFAULT_MAX_BYTES, MAX_RESPONSE_BYTES);
    const attempt = new Attempt(maxBytes, () => this.release(place, host));
    const start = (): void => {
      host.running++;
      // A connection outlives the request that opened it, so it must not keep that request's context.
      requestContext.outside(() => agent.dispatch(options, attempt));
    };
    const timer = setTimeout(
      () => attempt.end(new OutboundFailureError('timeout', `No response came within ${timeoutMs} ms`)),
      timeoutMs,
    );
    const cancel = (): void => attempt.end(cancelled());
    signal?.addEventListener('abort', cancel, { once: true });
    try {
      if (host.running < CONNECTIONS_PER_HOST) start();
      else host.waiting.add(start);
      return await attempt.answer;
    } finally {
      clearTimeout(timer);
      signal?.removeEventListener('abort', cancel);
      host.waiting.delete(start);
    }
  }

  /** Returns the host to which the request is about to be sent. */
  private enter(place: string): Host {
    const host = this.hosts.get(place) ?? { running: 0, waiting: new Set() };
    if (host.running + host.waiting.size >= MAX_REQUESTS_PER_HOST)
      throw new OutboundFailureError('busy', 'Too many requests to this host are in progress');
    this.hosts.set(place, host);
    return host;
  }

  /** Gives a connection to the next request. The library cannot take back one that waits in its own queue. */
  private release(place: string, host: Host): void {
    host.running--;
    const [next] = host.waiting;
    if (next) {
      host.waiting.delete(next);
      next();
    } else if (host.running === 0) {
      this.hosts.delete(place);
    }
  }
}

const cancelled = (): OutboundFailureError =>
  new OutboundFailureError('cancelled', 'The request was cancelled');

/** Returns a `traceparent` that continues the trace of the current work, or begins one that is not recorded. */
const traceparent = (): string =>
  formatTraceparent(
    traceContext.current() ?? { traceId: newTraceIdBytes().toString('hex'), spanId: null, sampled: false },
  );

function lowerCased(headers: Readonly<Record<string, string>>): Record<string, string> {
  const lower: Record<string, string> = {};
  for (const name of Object.keys(headers)) lower[name.toLowerCase()] = headers[name] ?? '';
  return lower;
}
