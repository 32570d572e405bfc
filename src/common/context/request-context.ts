import { AsyncLocalStorage } from 'node:async_hooks';
import type { Principal } from '../authorization/principal.js';

/** Where a request comes from. */
export interface Client {
  readonly ip: string;
  /** As it calls itself, shortened. */
  readonly userAgent: string;
}

/** What every layer may know of the request it serves, or of the job done for a caller; start-up work has none. */
export interface RequestContext {
  readonly requestId: string;
  /** Of the trace that the request belongs to (W3C Trace Context); null when it names none. */
  readonly traceId: string | null;
  /** Null for a job. */
  readonly client: Client | null;
  /** Aborts when the time limit is over: queries are then cancelled and a commit is refused. */
  readonly signal: AbortSignal;
  /**
   * Aborts when the client has closed the connection before it had an answer. Work that began goes on, and
   * work that has not begun may be dropped.
   */
  readonly clientLeft?: AbortSignal | undefined;
  /** Who calls; `rejected` holds a token that was presented and is not valid. */
  caller: { readonly principal: Principal | null; readonly rejected: boolean };
}

const NOWHERE: Client = { ip: '', userAgent: '' };

const storage = new AsyncLocalStorage<RequestContext>();
/** Restores the contexts of the start: no request, no transaction, and for the log no request either. */
const outside = AsyncLocalStorage.snapshot();

export const requestContext = {
  run: <T>(context: RequestContext, work: () => T): T => storage.run(context, work),
  /** For what must be done although the request is over. */
  leave: <T>(work: () => T): T => storage.exit(work),
  /** Runs `work` in no context at all. `leave` leaves that of this file alone. */
  outside: <T>(work: () => T): T => outside(work),
  /**
   * For work that several requests wait for: it does not end with the one that began it, but has
   * `timeLimitMs` of its own, after which its queries are cancelled.
   */
  share: async <T>(timeLimitMs: number, work: () => Promise<T>): Promise<T> => {
    const limit = new AbortController();
    const timer = setTimeout(() => limit.abort(), timeLimitMs);
    const caller = { principal: null, rejected: false };
    const beganBy = storage.getStore() ?? { requestId: '', traceId: null, client: NOWHERE };
    try {
      return await storage.run({ ...beganBy, signal: limit.signal, clientLeft: undefined, caller }, work);
    } finally {
      clearTimeout(timer);
    }
  },
  current: (): RequestContext | undefined => storage.getStore(),
};
