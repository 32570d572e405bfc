import { Counter, Gauge, Histogram, Registry } from 'prom-client';
import { OutboundHttpService } from '../../../src/platform/http-client/outbound-http.service.js';
import { OutboundMetrics } from '../../../src/platform/http-client/outbound.metrics.js';
import { OutboundTargetsService } from '../../../src/platform/http-client/outbound-targets.service.js';
import { LocalResponseStore } from '../../../src/platform/http-client/response-store.js';

/** The outbound client with metrics of its own, without the rest of the service. */
export class OutboundClient {
  readonly targets: OutboundTargetsService;
  readonly http: OutboundHttpService;
  private readonly registry = new Registry();

  constructor({ allowPrivate }: { allowPrivate: boolean }) {
    this.targets = new OutboundTargetsService({ OUTBOUND_ALLOW_PRIVATE: allowPrivate });
    const metrics = new OutboundMetrics(
      new Counter(this.named('requests', 'host_class', 'outcome')),
      new Histogram(this.named('duration', 'host_class')),
      new Gauge(this.named('breakers', 'state')),
      new Counter(this.named('lookups', 'result')),
    );
    this.http = new OutboundHttpService(this.targets, metrics, new LocalResponseStore());
  }

  /** Returns the values of a metric by the label that tells them apart. */
  async counts(name: string, label: string): Promise<Readonly<Record<string, number>>> {
    const { values = [] } = (await this.registry.getSingleMetric(name)?.get()) ?? {};
    return Object.fromEntries(values.map(({ labels, value }) => [labels[label], value]));
  }

  close(): Promise<void> {
    return this.http.onApplicationShutdown();
  }

  private named(name: string, ...labelNames: string[]) {
    return { name, help: name, labelNames, registers: [this.registry] };
  }
}
