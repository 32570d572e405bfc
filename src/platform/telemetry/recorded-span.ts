import type { Trace } from '../../common/context/trace.js';

/** The attributes of a span. Never personal values: no addresses, tokens, query strings or parameters. */
export type Attributes = Readonly<Record<string, string | number>>;

export interface SpanStart {
  /** A name of which there are few, such as a route pattern. */
  readonly name: string;
  readonly kind: 'server' | 'client' | 'consumer' | 'internal';
  readonly attributes?: Attributes;
}

export interface SpanEnd {
  /** Replaces the name that the span began with. */
  readonly name?: string;
  readonly attributes?: Attributes;
  /** The kind of failure, such as a status or an error code; absent for a success. Never a message. */
  readonly failure?: string | undefined;
}

/** A span that is recorded. Work that it causes names it as parent. */
export abstract class RecordedSpan implements Trace {
  readonly sampled = true;
  abstract readonly traceId: string;
  abstract readonly spanId: string;

  /** Starts a span for a part of this one's work; null when the trace has too many. */
  abstract startChild(start: SpanStart): RecordedSpan | null;

  abstract end(end?: SpanEnd): void;
}
