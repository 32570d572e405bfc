import { Injectable } from '@nestjs/common';

/** Where the process stands between its start and its end. */
@Injectable()
export class Lifecycle {
  private state: 'starting' | 'serving' | 'draining' = 'starting';

  get started(): boolean {
    return this.state !== 'starting';
  }

  get draining(): boolean {
    return this.state === 'draining';
  }

  serve(): void {
    this.state = 'serving';
  }

  drain(): void {
    this.state = 'draining';
  }
}
