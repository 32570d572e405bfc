import { Worker } from 'node:worker_threads';
import type { Config } from '../../config/config.js';
import type { MetricsRegistry, MetricsText } from '../metrics/metrics.registry.js';
import { type HealthState, NOT_STARTED } from './health-report.js';
import type { ReadinessService } from './readiness.service.js';

export interface WorkerSettings {
  readonly port: number;
  readonly host: string;
  readonly metricsToken: string | undefined;
}

export type ToWorker =
  { readonly kind: 'state'; readonly state: HealthState } | ({ readonly kind: 'metrics' } & MetricsText);

export type FromWorker =
  { readonly kind: 'listening' | 'metrics' } | { readonly kind: 'failed'; readonly message: string };

const STATE_INTERVAL_MS = 250;

/** The parts of the service that the listener reports on. */
interface FollowedService {
  readonly readiness: ReadinessService;
  readonly metrics: MetricsRegistry;
}

/**
 * Runs HEALTH_PORT from the main thread: starts the thread that listens there and sends it the instance's
 * state four times a second. The silence of the main thread is also an answer.
 */
export class HealthListener {
  private service: FollowedService | null = null;
  private state: HealthState = NOT_STARTED;
  private looking = false;

  private constructor(private readonly worker: Worker) {
    worker.on('message', (message: FromWorker) => {
      if (message.kind === 'metrics') void this.sendMetrics();
    });
    setInterval(() => this.sendChecks(), STATE_INTERVAL_MS).unref();
  }

  /** Listens from the beginning of the start. Returns null without HEALTH_PORT. */
  static async open({ HEALTH_PORT, HOST, METRICS_TOKEN }: Config): Promise<HealthListener | null> {
    if (HEALTH_PORT === undefined) return null;
    const settings: WorkerSettings = { port: HEALTH_PORT, host: HOST, metricsToken: METRICS_TOKEN };
    const worker = new Worker(new URL('./health.worker.js', import.meta.url), { workerData: settings });
    await new Promise<void>((resolve, reject) => {
      const fail = (reason: string) =>
        reject(new Error(`HEALTH_PORT ${HEALTH_PORT} cannot be opened: ${reason}`));
      worker.once('error', (error) => fail(error instanceof Error ? error.message : String(error)));
      worker.once('message', (message: FromWorker) => {
        if (message.kind === 'failed') fail(message.message);
        else resolve();
      });
    });
    // From now on a failure of the thread is a failure of the process.
    worker.removeAllListeners('error');
    // The thread ends with the process and never keeps it alive.
    worker.unref();
    return new HealthListener(worker);
  }

  /** Reports on this service from now on. */
  follow(service: FollowedService): void {
    this.service = service;
    this.sendChecks();
  }

  /** Sends the known state at once, because a silent database must not look like a hanging main thread. */
  private sendChecks(): void {
    this.sendState();
    if (this.service) void this.checkDatabase(this.service.readiness);
  }

  private async checkDatabase(readiness: ReadinessService): Promise<void> {
    if (this.looking) return;
    this.looking = true;
    this.state = await readiness.state();
    this.looking = false;
    this.sendState();
  }

  private sendState(): void {
    this.send({ kind: 'state', state: this.state });
  }

  private async sendMetrics(): Promise<void> {
    const read = await this.service?.metrics.read();
    this.send({ kind: 'metrics', ...(read ?? { contentType: 'text/plain', text: '' }) });
  }

  private send(message: ToWorker): void {
    this.worker.postMessage(message);
  }
}
