// The only file that imports OpenTelemetry's SDK, with span.queue.ts. It is loaded when tracing is on.

import {
  type Context,
  ROOT_CONTEXT,
  type Span,
  SpanKind,
  SpanStatusCode,
  trace,
  TraceFlags,
} from '@opentelemetry/api';
import { OTLPTraceExporter } from '@opentelemetry/exporter-trace-otlp-http';
import { defaultResource, resourceFromAttributes } from '@opentelemetry/resources';
import { AlwaysOnSampler, TracerProvider } from '@opentelemetry/sdk-trace';
import { newSpanId, newTraceIdBytes, type Trace } from '../../common/context/trace.js';
import { newId } from '../../common/ids.js';
import { buildInfo } from '../../config/build-info.js';
import type { Config } from '../../config/config.js';
import { RatioSampler } from './ratio.sampler.js';
import { RecordedSpan, type SpanEnd, type SpanStart } from './recorded-span.js';
import { SpanQueue, type SpanQueueObserver } from './span.queue.js';
import type { Tracer } from './tracing.js';

/** The number of spans of one request, task or job. A job may send millions of statements. */
const MAX_SPANS_PER_TRACE = 1000;
/** The attribute of the first span with the number of spans that the limit left out. */
const LEFT_OUT = 'gatehouse.spans_left_out';

const KINDS = {
  server: SpanKind.SERVER,
  client: SpanKind.CLIENT,
  consumer: SpanKind.CONSUMER,
  internal: SpanKind.INTERNAL,
} as const satisfies Record<SpanStart['kind'], SpanKind>;

export type TracerConfig = Pick<
  Config,
  | 'OTEL_EXPORTER_OTLP_HEADERS'
  | 'OTEL_EXPORTER_OTLP_TIMEOUT'
  | 'OTEL_SERVICE_NAME'
  | 'OTEL_RESOURCE_ATTRIBUTES'
  | 'OTEL_TRACES_SAMPLER_ARG'
> & { readonly OTEL_EXPORTER_OTLP_ENDPOINT: string };

/** Records spans with OpenTelemetry's SDK and sends them to a collector. */
export class OtlpTracer implements Tracer {
  private readonly queue: SpanQueue;
  private readonly sampler: RatioSampler;
  private readonly source: ReturnType<TracerProvider['getTracer']>;
  /** The id of the trace that begins right now. The SDK asks for it while it makes the first span. */
  private traceId = '';

  constructor(config: TracerConfig, observer: SpanQueueObserver) {
    const exporter = new OTLPTraceExporter({
      url: `${config.OTEL_EXPORTER_OTLP_ENDPOINT}/v1/traces`,
      headers: { ...config.OTEL_EXPORTER_OTLP_HEADERS },
      timeoutMillis: config.OTEL_EXPORTER_OTLP_TIMEOUT,
    });
    this.queue = new SpanQueue(exporter, observer);
    this.sampler = new RatioSampler(config.OTEL_TRACES_SAMPLER_ARG);
    const provider = new TracerProvider({
      resource: resourceOf(config),
      // The decision has been made before a span is.
      sampler: new AlwaysOnSampler(),
      idGenerator: { generateTraceId: () => this.traceId, generateSpanId: newSpanId },
      spanProcessors: [this.queue],
    });
    this.source = provider.getTracer('gatehouse', buildInfo.version);
  }

  begin(caller: Trace | null, start: SpanStart): Trace {
    if (caller !== null) return caller.sampled ? this.record(caller, start) : caller;
    const id = newTraceIdBytes();
    const traceId = id.toString('hex');
    if (!this.sampler.samples(id)) return { traceId, spanId: null, sampled: false };
    this.traceId = traceId;
    return this.record(null, start);
  }

  /** Sends what is recorded. Resolves when all is sent or has failed. */
  close(): Promise<void> {
    return this.queue.shutdown();
  }

  private record(caller: Trace | null, start: SpanStart): RecordedSpan {
    return new OtlpSpan(this.startSpan(start, parentContext(caller)), {
      left: MAX_SPANS_PER_TRACE,
      leftOut: 0,
      startSpan: (child, parent) => this.startSpan(child, trace.setSpan(ROOT_CONTEXT, parent)),
    });
  }

  private startSpan({ name, kind, attributes }: SpanStart, parent: Context): Span {
    return this.source.startSpan(name, { kind: KINDS[kind], ...(attributes && { attributes }) }, parent);
  }
}

/** The count that all spans of one request, task or job share. */
interface Family {
  left: number;
  leftOut: number;
  readonly startSpan: (start: SpanStart, parent: Span) => Span;
}

class OtlpSpan extends RecordedSpan {
  readonly traceId: string;
  readonly spanId: string;

  constructor(
    private readonly span: Span,
    private readonly family: Family,
    private readonly isFirst = true,
  ) {
    super();
    ({ traceId: this.traceId, spanId: this.spanId } = span.spanContext());
  }

  startChild(start: SpanStart): RecordedSpan | null {
    const { family } = this;
    if (family.left === 0) {
      family.leftOut++;
      return null;
    }
    family.left--;
    return new OtlpSpan(family.startSpan(start, this.span), family, false);
  }

  end({ name, attributes, failure }: SpanEnd = {}): void {
    const { span, family } = this;
    if (name !== undefined) span.updateName(name);
    if (attributes !== undefined) span.setAttributes(attributes);
    if (this.isFirst && family.leftOut > 0) span.setAttribute(LEFT_OUT, family.leftOut);
    if (failure !== undefined) {
      span.setAttribute('error.type', failure);
      span.setStatus({ code: SpanStatusCode.ERROR });
    }
    span.end();
  }
}

function parentContext(caller: Trace | null): Context {
  const { traceId, spanId } = caller ?? {};
  if (traceId === undefined || spanId === undefined || spanId === null) return ROOT_CONTEXT;
  return trace.setSpanContext(ROOT_CONTEXT, {
    traceId,
    spanId,
    traceFlags: TraceFlags.SAMPLED,
    isRemote: true,
  });
}

function resourceOf({ OTEL_RESOURCE_ATTRIBUTES, OTEL_SERVICE_NAME }: TracerConfig) {
  return defaultResource().merge(
    resourceFromAttributes({
      'service.version': buildInfo.version,
      'service.instance.id': newId(),
      ...OTEL_RESOURCE_ATTRIBUTES,
      'service.name': OTEL_SERVICE_NAME,
    }),
  );
}
