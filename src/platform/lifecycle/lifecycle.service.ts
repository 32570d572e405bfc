import { Injectable } from '@nestjs/common';

/** The state of the process between its start and its end. */
@Injectable()
export class LifecycleService {
  private state: 'starting' | 'serving' | 'draining' = 'starting';
  private readonly ending = new AbortController();

  get started(): boolean {
    return this.state !== 'starting';
  }

  get draining(): boolean {
    return this.state === 'draining';
  }

  serve(): void {
    this.state = 'serving';
  }

  /**
   * Aborts shortly before the grace period of a stop ends: streams send a last message, and uploads are
   * refused.
   */
  get stopping(): AbortSignal {
    return this.ending.signal;
  }

  drain(): void {
    this.state = 'draining';
  }

  endStreams(): void {
    this.ending.abort();
  }
}
