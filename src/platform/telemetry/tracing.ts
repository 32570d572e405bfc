import { parseTraceparent, type Trace } from '../../common/context/trace.js';
import { traceContext } from '../../common/context/trace-context.js';
import { failureOf } from './failure-of.js';
import { RecordedSpan, type SpanStart } from './recorded-span.js';

/** Begins spans. Exists only while tracing is on. */
export interface Tracer {
  /**
   * Continues the trace of the caller, or begins one. Decides before a span is made whether the trace is recorded, as
   * its caller did, if there is one.
   */
  begin(caller: Trace | null, start: SpanStart): Trace;
}

let tracer: Tracer | undefined;

/** Begins to trace, or ends it. */
function install(next: Tracer | undefined): void {
  tracer = next;
}

const isOn = (): boolean => tracer !== undefined;

/** Returns the span of the current work if it is recorded. */
function active(): RecordedSpan | undefined {
  if (tracer === undefined) return undefined;
  const trace = traceContext.current();
  return trace instanceof RecordedSpan ? trace : undefined;
}

/** Returns the trace of work that `caller` causes, which `start` describes. Null if it has none and tracing is off. */
const begin = (caller: Trace | null, start: SpanStart): Trace | null =>
  tracer === undefined ? caller : tracer.begin(caller, start);

/** Runs a step of the current work in a span of its own, if its trace is recorded. */
function inSpan<T>(start: SpanStart, work: () => Promise<T>): Promise<T> {
  const span = active()?.startChild(start);
  return span ? recorded(span, work) : work();
}

/** Runs work that was caused earlier as a part of the trace that was stored with it; null for work without a trace. */
function resume<T>(traceparent: string | null, start: SpanStart, work: () => Promise<T>): Promise<T> {
  const trace = begin(traceparent === null ? null : parseTraceparent(traceparent), start);
  if (trace === null) return work();
  return trace instanceof RecordedSpan ? recorded(trace, work) : traceContext.run(trace, work);
}

async function recorded<T>(span: RecordedSpan, work: () => Promise<T>): Promise<T> {
  try {
    const result = await traceContext.run(span, work);
    span.end();
    return result;
  } catch (error) {
    span.end({ failure: failureOf(error) });
    throw error;
  }
}

/** The spans of this process. Every function does next to nothing while tracing is off. */
export const tracing = { install, isOn, active, begin, inSpan, resume };
