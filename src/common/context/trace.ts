import { nextRandomBytes } from '../random-bytes.js';

/** The place of some work in a distributed trace (W3C Trace Context). */
export interface Trace {
  /** 32 hexadecimal digits. */
  readonly traceId: string;
  /** The span that caused what this work does, 16 hexadecimal digits; null for a trace of which no span is recorded. */
  readonly spanId: string | null;
  /** True if the spans of the trace are recorded. */
  readonly sampled: boolean;
}

const TRACE_ID_BYTES = 16;
const SPAN_ID_BYTES = 8;
const SAMPLED = 1;
/**
 * The format of W3C Trace Context, 3.2: version, trace, parent, flags. Ids of zeros and the version ff are invalid.
 * Later versions may have more fields.
 */
const TRACE_PARENT =
  /^(?!ff)[0-9a-f]{2}-(?!0{32})(?<traceId>[0-9a-f]{32})-(?!0{16})(?<spanId>[0-9a-f]{16})-(?<flags>[0-9a-f]{2})(?=-|$)/;
/** The length of version 00, which has no more fields. */
const LENGTH = 55;

/** Returns the trace that a `traceparent` names, or null if it is not valid. */
export function parseTraceparent(value: string): Trace | null {
  const fields = TRACE_PARENT.exec(value)?.groups;
  const { traceId, spanId, flags } = fields ?? {};
  if (traceId === undefined || spanId === undefined || flags === undefined) return null;
  if (value.startsWith('00') && value.length !== LENGTH) return null;
  return { traceId, spanId, sampled: (Number.parseInt(flags, 16) & SAMPLED) !== 0 };
}

/** Formats a `traceparent` for work that this one causes. It names a span that does not exist if none is recorded. */
export function formatTraceparent({ traceId, spanId, sampled }: Trace): string {
  return `00-${traceId}-${spanId ?? newSpanId()}-${sampled ? '01' : '00'}`;
}

/** Returns random bytes for the id of a trace. */
export const newTraceIdBytes = (): Buffer => nextRandomBytes(TRACE_ID_BYTES);

export const newSpanId = (): string => nextRandomBytes(SPAN_ID_BYTES).toString('hex');
