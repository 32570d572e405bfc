import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import { readConfig } from '../../../src/config/config.js';
import { OtlpTracer } from '../../../src/platform/telemetry/otlp.tracer.js';
import { RecordedSpan, type SpanStart } from '../../../src/platform/telemetry/recorded-span.js';
import { OtlpReceiver } from '../../support/http/otlp-receiver.js';

const MAX_SPANS_PER_TRACE = 1000;
const MAX_HELD = 8192;
const STEP: SpanStart = { name: 'step', kind: 'internal' };

let collector: OtlpReceiver;
let dropped = 0;
let failures: Error[] = [];
beforeEach(async () => {
  dropped = 0;
  failures = [];
  collector = await OtlpReceiver.open();
});
afterEach(() => collector.close().catch(() => undefined));

function tracerAt(url: string, environment: Readonly<Record<string, string>> = {}): OtlpTracer {
  const config = readConfig({ OTEL_TRACES_SAMPLER_ARG: '1', ...environment });
  return new OtlpTracer(
    { ...config, OTEL_EXPORTER_OTLP_ENDPOINT: url },
    {
      dropped: (count) => void (dropped += count),
      sent: () => undefined,
      failed: (error) => void failures.push(error),
    },
  );
}

function recordedBy(tracer: OtlpTracer): RecordedSpan {
  const trace = tracer.begin(null, { name: 'first', kind: 'server' });
  if (trace instanceof RecordedSpan) return trace;
  throw new Error('the trace is not recorded');
}

describe('OtlpTracer', () => {
  it('sends what is recorded when it is closed, and counts the spans that a trace has too many', async () => {
    const tracer = tracerAt(collector.url, {
      OTEL_SERVICE_NAME: 'accounts',
      OTEL_RESOURCE_ATTRIBUTES: 'a=b%20c,service.name=other',
    });
    const first = recordedBy(tracer);
    const steps = Array.from({ length: MAX_SPANS_PER_TRACE + 7 }, () => first.startChild(STEP));
    expect(steps.slice(-7)).toEqual(Array.from({ length: 7 }, () => null));
    for (const step of steps) step?.end();
    first.end({ name: 'renamed', attributes: { status: 500 }, failure: '500' });
    await tracer.close();
    expect(collector.spans).toHaveLength(MAX_SPANS_PER_TRACE + 1);
    const root = collector.spans.find(({ parentSpanId }) => parentSpanId === null);
    expect(root).toMatchObject({
      traceId: first.traceId,
      spanId: first.spanId,
      name: 'renamed',
      failed: true,
      attributes: { status: 500, 'error.type': '500', 'gatehouse.spans_left_out': 7 },
      resource: { 'service.name': 'accounts', a: 'b c' },
    });
    const parents = new Set(collector.spans.map(({ parentSpanId }) => parentSpanId));
    expect(parents).toEqual(new Set([null, first.spanId]));
    expect([dropped, failures]).toEqual([0, []]);
  });

  it('holds a bounded number of spans while the collector does not answer', async () => {
    collector.silent = true;
    const tracer = tracerAt(collector.url, { OTEL_EXPORTER_OTLP_TIMEOUT: '100' });
    for (let count = 0; count < MAX_HELD + 100; count++) recordedBy(tracer).end();
    expect(dropped).toBe(100);
    await tracer.close();
    // Held spans are dropped once they cannot be sent.
    expect(dropped).toBe(MAX_HELD + 100);
  });

  it('reports why the collector did not take spans, and counts them', async () => {
    const tracer = tracerAt(`${collector.url}/nowhere`);
    recordedBy(tracer).end();
    await tracer.close();
    expect(dropped).toBe(1);
    expect(failures).toEqual([expect.objectContaining({ code: 404 })]);
  });

  it('continues the trace of a caller that records it, and makes no span for another', async () => {
    const tracer = tracerAt(collector.url);
    const caller = { traceId: 'ab'.repeat(16), spanId: 'cd'.repeat(8), sampled: true };
    const unrecorded = { ...caller, sampled: false };
    expect(tracer.begin(unrecorded, STEP)).toBe(unrecorded);
    const trace = tracer.begin(caller, STEP);
    expect(trace).toMatchObject({ traceId: caller.traceId, sampled: true });
    if (trace instanceof RecordedSpan) trace.end();
    await tracer.close();
    expect(collector.spans).toEqual([
      expect.objectContaining({ traceId: caller.traceId, parentSpanId: caller.spanId, spanId: trace.spanId }),
    ]);
  });

  it('begins a trace with an id and without a span when it is not recorded', async () => {
    const tracer = tracerAt(collector.url, { OTEL_TRACES_SAMPLER_ARG: '0' });
    const trace = tracer.begin(null, STEP);
    expect(trace).toEqual({ traceId: expect.stringMatching(/^[0-9a-f]{32}$/), spanId: null, sampled: false });
    await tracer.close();
    expect(collector.bodies).toEqual([]);
  });
});
