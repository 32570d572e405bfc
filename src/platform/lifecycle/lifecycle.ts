import { Injectable } from '@nestjs/common';

/** Where the process stands between its start and its end. */
@Injectable()
export class Lifecycle {
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

  /** Aborts when the grace of a stop is over: what would stream on without an end says a last word. */
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
