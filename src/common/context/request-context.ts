import { AsyncLocalStorage } from 'node:async_hooks';
import type { Principal, TokenRefusal } from '../authorization/principal.types.js';
import type { Trace } from './trace.js';

/** The IP address and the user agent that a request comes from. */
export interface RequestOrigin {
  readonly ip: string;
  /** The client's User-Agent header, shortened. */
  readonly userAgent: string;
}

/**
 * The context of a request, or of a task run for a caller, available to every layer. Start-up work has none.
 */
export interface RequestContext {
  readonly requestId: string;
  /** Null when the request names no trace and tracing is off. */
  readonly trace: Trace | null;
  /** Null for a task. */
  readonly origin: RequestOrigin | null;
  /** Aborts at the time limit. Queries are then cancelled and a commit is refused. */
  readonly signal: AbortSignal;
  /**
   * Aborts when the client closes the connection before it has a response. Started work continues; work that
   * has not started may be dropped.
   */
  readonly clientGone?: AbortSignal | undefined;
  /** The authenticated caller. `refusal` is null when the request has a caller or no token. */
  caller: { readonly principal: Principal | null; readonly refusal: TokenRefusal | null };
}

/** Stands for a request whose context was left. Only the log and the trace still name the request. */
class LeftContext {
  constructor(
    readonly requestId: string | undefined,
    readonly trace: Trace | null,
  ) {}
}

const UNKNOWN_ORIGIN: RequestOrigin = { ip: '', userAgent: '' };
const storage = new AsyncLocalStorage<RequestContext | LeftContext>();
/** Restores the contexts of the start, which have no request and no transaction, not even for the log. */
const outside = AsyncLocalStorage.snapshot();

/** Returns the current context; undefined where there is none, and where it was left. */
function current(): RequestContext | undefined {
  const store = storage.getStore();
  return store instanceof LeftContext ? undefined : store;
}

/** Returns the id for log lines, also after the context was left. A task has none, and neither has the start. */
function loggedRequestId(): string | undefined {
  const store = storage.getStore();
  if (store === undefined || store instanceof LeftContext) return store?.requestId;
  return store.origin === null || store.requestId === '' ? undefined : store.requestId;
}

/** Returns the trace of the request, also after the context was left; undefined outside of a request. */
const trace = (): Trace | null | undefined => storage.getStore()?.trace;

/**
 * Returns the context with another end, for work that may outlast the time limit. It lists its properties because
 * those of a request are partly getters.
 */
function withSignal(
  { requestId, trace: ofRequest, origin, clientGone, caller }: RequestContext,
  signal: AbortSignal,
): RequestContext {
  return { requestId, trace: ofRequest, origin, clientGone, caller, signal };
}

/**
 * Runs work that several requests wait for. It does not end with the request that started it. It has its own limit of
 * `timeLimitMs`, after which its queries are cancelled.
 */
async function share<T>(timeLimitMs: number, work: () => Promise<T>): Promise<T> {
  const limit = new AbortController();
  const timer = setTimeout(() => limit.abort(), timeLimitMs);
  const { requestId, origin } = current() ?? { requestId: '', origin: UNKNOWN_ORIGIN };
  const context = { requestId, trace: trace() ?? null, origin, signal: limit.signal };
  const caller = { principal: null, refusal: null };
  try {
    return await storage.run({ ...context, caller }, work);
  } finally {
    clearTimeout(timer);
  }
}

export const requestContext = {
  run: <T>(context: RequestContext, work: () => T): T => storage.run(context, work),

  /** Runs work outside the context, for example after the request has ended. */
  leave: <T>(work: () => T): T => storage.run(new LeftContext(loggedRequestId(), trace() ?? null), work),

  /** Runs `work` outside every context. `leave` only leaves the context of this file. */
  outside: <T>(work: () => T): T => outside(work),

  share,
  withSignal,
  current,
  trace,
  loggedRequestId,
};
