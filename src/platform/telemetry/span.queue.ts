import { type ExportResult, ExportResultCode } from '@opentelemetry/core';
import {
  BatchSpanProcessor,
  type ReadableSpan,
  type SpanExporter,
  type SpanProcessor,
} from '@opentelemetry/sdk-trace';
import { requestContext } from '../../common/context/request-context.js';

/** The number of spans that wait or are being sent. Further ones are dropped. A span takes about 1 kB. */
const MAX_SPANS = 8192;
const BATCH_SPANS = 512;
const SEND_INTERVAL_MS = 1000;

/** Hears how spans fare. */
export interface SpanQueueObserver {
  dropped(count: number): void;
  sent(): void;
  failed(error: Error): void;
}

/** Sends ended spans in batches. Holds a bounded number of them, so that a dead receiver costs no memory. */
export class SpanQueue implements SpanProcessor {
  private readonly batches: BatchSpanProcessor;
  private held = 0;

  constructor(
    private readonly exporter: SpanExporter,
    private readonly observer: SpanQueueObserver,
  ) {
    this.batches = new BatchSpanProcessor({
      exporter: {
        export: (spans, done) => this.export(spans, done),
        shutdown: () => exporter.shutdown(),
      },
      maxQueueSize: MAX_SPANS,
      maxExportBatchSize: BATCH_SPANS,
      scheduledDelayMillis: SEND_INTERVAL_MS,
    });
  }

  /** Spans wait from their end on. */
  onStart(): void {}

  onEnd(span: ReadableSpan): void {
    if (this.held >= MAX_SPANS) return this.observer.dropped(1);
    this.held++;
    // The timer and the connection must not keep the context of the request that happens to start them.
    requestContext.outside(() => this.batches.onEnd(span));
  }

  forceFlush(): Promise<void> {
    return this.batches.forceFlush();
  }

  /** Sends what waits, and resolves when all is sent or has failed. */
  async shutdown(): Promise<void> {
    // Rejects with the first batch that fails, while others are still being sent.
    await this.batches.shutdown().catch(() => {});
    await this.exporter.shutdown();
  }

  private export(spans: ReadableSpan[], done: (result: ExportResult) => void): void {
    this.exporter.export(spans, (result) => {
      this.held -= spans.length;
      if (result.code === ExportResultCode.SUCCESS) this.observer.sent();
      else {
        this.observer.dropped(spans.length);
        this.observer.failed(result.error ?? new Error('no reason given'));
      }
      done(result);
    });
  }
}
