import type { Agent, Dispatcher } from 'undici';
import { requestContext } from '../../common/context/request-context.js';
import { formatTraceparent, newTraceIdBytes } from '../../common/context/trace.js';
import { traceContext } from '../../common/context/trace-context.js';
import { createGuardedConnector } from './guarded-connector.js';
import { classifyFailure, OutboundFailureError, type OutboundOutcome } from './outbound-outcome.js';
import { inAttemptSpan } from './attempt-span.js';
import type { OutboundTargetsService } from './outbound-targets.service.js';

const DEFAULT_TIMEOUT_MS = 10_000;
export const DEFAULT_MAX_BYTES = 1_048_576;
/** The number of connections to one host. */
const CONNECTIONS_PER_HOST = 32;
/** The number of requests to one host that are sent or wait for a connection. */
const MAX_REQUESTS_PER_HOST = 256;
/**
 * The number of hosts that may have connections at a time. The pool of a host goes when its last connection is
 * closed, at the latest {@link IDLE_MS} after its last response.
 */
const MAX_HOSTS = 256;
const IDLE_MS = 4000;
const MAX_IDLE_MS = 30_000;
/** The size of a response that no caller may exceed. */
const MAX_RESPONSE_BYTES = 16_777_216;
const MAX_HEADER_BYTES = 16_384;

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
}

/** Sends one request, without retries and without following a redirect. */
export class AttemptSender {
  private agent: Promise<Agent> | undefined;
  private readonly inProgress = new Map<string, number>();

  constructor(private readonly targets: OutboundTargetsService) {}

  /** Never throws for what the other side does. */
  send(request: OutboundRequest): Promise<OutboundOutcome> {
    return inAttemptSpan(request, () => this.sendWithin(request));
  }

  /** Closes all connections, also those with requests in progress. */
  async close(): Promise<void> {
    await (await this.agent)?.destroy();
  }

  private async sendWithin(request: OutboundRequest): Promise<OutboundOutcome> {
    const startedAt = performance.now();
    const limit = new AbortController();
    const timeoutMs = request.timeoutMs ?? DEFAULT_TIMEOUT_MS;
    const timer = setTimeout(
      () => limit.abort(new OutboundFailureError('timeout', `No response came within ${timeoutMs} ms`)),
      timeoutMs,
    );
    const cancel = (): void =>
      limit.abort(new OutboundFailureError('cancelled', 'The request was cancelled'));
    if (request.signal?.aborted) cancel();
    request.signal?.addEventListener('abort', cancel, { once: true });
    try {
      const response = await this.withinHost(request, limit.signal);
      return { ok: true, ...response, durationMs: performance.now() - startedAt };
    } catch (error) {
      // The reason of the abort counts, whatever the library makes of it.
      const failure = classifyFailure(limit.signal.aborted ? limit.signal.reason : error);
      return { ok: false, ...failure, durationMs: performance.now() - startedAt };
    } finally {
      clearTimeout(timer);
      request.signal?.removeEventListener('abort', cancel);
    }
  }

  private async withinHost(request: OutboundRequest, signal: AbortSignal): Promise<Answer> {
    const fault = this.targets.faultOf(request.url, 'The URL');
    if (fault !== null) throw new OutboundFailureError('refused_target', fault);
    const { origin } = new URL(request.url);
    const count = this.inProgress.get(origin) ?? 0;
    if (count >= MAX_REQUESTS_PER_HOST)
      throw new OutboundFailureError('busy', 'Too many requests to this host are in progress');
    this.inProgress.set(origin, count + 1);
    try {
      return await this.exchange(request, signal);
    } finally {
      const left = (this.inProgress.get(origin) ?? 1) - 1;
      if (left > 0) this.inProgress.set(origin, left);
      else this.inProgress.delete(origin);
    }
  }

  private async exchange(request: OutboundRequest, signal: AbortSignal): Promise<Answer> {
    const agent = await this.loadedAgent();
    const { origin, pathname, search } = new URL(request.url);
    const options: Dispatcher.RequestOptions = {
      origin,
      path: pathname + search,
      method: request.method,
      headers: { 'user-agent': 'Gatehouse', traceparent: traceparent(), ...lowerCased(request.headers) },
      body: request.body ?? null,
      signal,
    };
    // A connection outlives the request that opened it, so it must not keep that request's context.
    const response = await requestContext.outside(() => agent.request(options));
    return {
      status: response.statusCode,
      headers: response.headers,
      body: await readBody(response, request),
    };
  }

  /** Loads the library with the first request, because a start does not need it. */
  private loadedAgent(): Promise<Agent> {
    this.agent ??= import('undici').then(
      ({ Agent, buildConnector }) =>
        new Agent({
          connect: createGuardedConnector(buildConnector, this.targets),
          connections: CONNECTIONS_PER_HOST,
          pipelining: 1,
          allowH2: false,
          maxOrigins: MAX_HOSTS,
          maxHeaderSize: MAX_HEADER_BYTES,
          maxResponseSize: MAX_RESPONSE_BYTES,
          keepAliveTimeout: IDLE_MS,
          keepAliveMaxTimeout: MAX_IDLE_MS,
        }),
    );
    return this.agent;
  }
}

interface Answer {
  readonly status: number;
  readonly headers: Record<string, string | string[] | undefined>;
  readonly body: Buffer;
}

async function readBody(response: Dispatcher.ResponseData, request: OutboundRequest): Promise<Buffer> {
  const maxBytes = Math.min(request.maxBytes ?? DEFAULT_MAX_BYTES, MAX_RESPONSE_BYTES);
  const pieces: Buffer[] = [];
  let size = 0;
  // Leaving the loop closes the connection, so that an endless response ends.
  for await (const piece of response.body as AsyncIterable<Buffer>) {
    if (size + piece.length > maxBytes)
      throw new OutboundFailureError('too_large', `The response has more than ${maxBytes} bytes`);
    pieces.push(piece);
    size += piece.length;
  }
  return Buffer.concat(pieces);
}

/** Returns a `traceparent` that continues the trace of the current work, or begins one that is not recorded. */
const traceparent = (): string =>
  formatTraceparent(
    traceContext.current() ?? { traceId: newTraceIdBytes().toString('hex'), spanId: null, sampled: false },
  );

const lowerCased = (headers: Readonly<Record<string, string>>): Record<string, string> =>
  Object.fromEntries(Object.entries(headers).map(([name, value]) => [name.toLowerCase(), value]));
