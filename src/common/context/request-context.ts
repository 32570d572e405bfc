import { AsyncLocalStorage } from 'node:async_hooks';
import type { Principal } from '../authorization/principal.js';

/** Where a request comes from. */
export interface Client {
  readonly ip: string;
  /** As it calls itself, shortened. */
  readonly userAgent: string;
}

/** What every layer may know of the request it serves; jobs and start-up work have none. */
export interface RequestContext {
  readonly requestId: string;
  /** Of the trace that the request belongs to (W3C Trace Context); null when it names none. */
  readonly traceId: string | null;
  readonly client: Client;
  /** Aborts when the time limit is over: queries are then cancelled and a commit is refused. */
  readonly signal: AbortSignal;
  /** Who calls; `rejected` holds a token that was presented and is not valid. */
  caller: { readonly principal: Principal | null; readonly rejected: boolean };
}

const storage = new AsyncLocalStorage<RequestContext>();

export const requestContext = {
  run: <T>(context: RequestContext, work: () => T): T => storage.run(context, work),
  /** For what must be done although the request is over. */
  leave: <T>(work: () => T): T => storage.exit(work),
  current: (): RequestContext | undefined => storage.getStore(),
};
