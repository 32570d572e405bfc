import { requestContext } from '../../common/context/request-context.js';

/**
 * Repeats work at a fixed interval. Runs never overlap: a caller that requests a run during another one joins
 * it. The work runs outside any request, so that it does not end with the request that triggered it.
 */
export class PeriodicTask {
  private timer: NodeJS.Timeout | undefined;
  private running: Promise<void> | null = null;
  private failing = false;
  private stopped = false;

  /** Takes `onFailure`, which receives the first error of each series of failed runs. */
  constructor(
    private readonly intervalMs: number,
    private readonly work: () => Promise<void>,
    private readonly onFailure: (error: unknown) => void,
  ) {}

  /** Starts the interval. The first run follows after one interval. Does nothing after `stop`. */
  start(): void {
    if (this.stopped) return;
    this.timer = setInterval(() => void this.run(), this.intervalMs).unref();
  }

  /** True once `stop` was called. Long work checks this between its steps. */
  get stopping(): boolean {
    return this.stopped;
  }

  /** Runs the work now, or joins the run in progress. Never rejects: the next interval tries again. */
  run(): Promise<void> {
    this.running ??= requestContext.outside(() => this.attempt()).finally(() => (this.running = null));
    return this.running;
  }

  /** Ends the interval and waits for the run in progress. */
  async stop(): Promise<void> {
    this.stopped = true;
    clearInterval(this.timer);
    await this.running;
  }

  /** Stops, and runs a last time unless the run before failed or the task had already stopped. */
  async finish(): Promise<void> {
    const wasStopped = this.stopped;
    await this.stop();
    if (!wasStopped && !this.failing) await this.run();
  }

  private async attempt(): Promise<void> {
    try {
      await this.work();
      this.failing = false;
    } catch (error) {
      if (!this.failing) this.onFailure(error);
      this.failing = true;
    }
  }
}
