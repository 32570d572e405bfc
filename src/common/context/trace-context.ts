import { AsyncLocalStorage } from 'node:async_hooks';
import { requestContext } from './request-context.js';
import { formatTraceparent, type Trace } from './trace.js';

const storage = new AsyncLocalStorage<Trace>();

/** Runs work as a part of the trace: a step of a request, or a task. */
const run = <T>(trace: Trace, work: () => T): T => storage.run(trace, work);

/**
 * Returns the trace of the current work; null where there is none. A request knows its own: queues that requests share
 * may run its work in the context of a step of another one.
 */
function current(): Trace | null {
  const ofRequest = requestContext.trace();
  const inner = storage.getStore();
  if (ofRequest === undefined) return inner ?? null;
  return ofRequest !== null && inner?.traceId === ofRequest.traceId ? inner : ofRequest;
}

/** Returns a `traceparent` to store with work that comes later; null where there is no trace. */
function toStore(): string | null {
  const trace = current();
  return trace === null ? null : formatTraceparent(trace);
}

export const traceContext = { run, current, toStore };
