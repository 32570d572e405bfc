import { Injectable } from '@nestjs/common';

/** Whether the database takes changes, as the heartbeat of the listening connection saw it last. */
@Injectable()
export class WriteAccess {
  private refused = false;
  private readonly onReturn: (() => void)[] = [];

  /** False while the database is read-only: a standby, or one with `default_transaction_read_only`. */
  get granted(): boolean {
    return !this.refused;
  }

  /** Calls `listener` whenever the database takes changes again. */
  subscribe(listener: () => void): void {
    this.onReturn.push(listener);
  }

  learn(granted: boolean): void {
    const returned = granted && this.refused;
    this.refused = !granted;
    if (returned) for (const listener of this.onReturn) listener();
  }
}
