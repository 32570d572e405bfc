import { Injectable } from '@nestjs/common';

/** The database's write access, as the heartbeat of the listening connection last saw it. */
@Injectable()
export class WriteAccessMonitor {
  private refused = false;
  private readonly onReturn: (() => void)[] = [];

  /** False while the database is read-only: a standby, or a database with `default_transaction_read_only`. */
  get granted(): boolean {
    return !this.refused;
  }

  /** Calls `listener` whenever the database accepts writes again. */
  subscribe(listener: () => void): void {
    this.onReturn.push(listener);
  }

  update(granted: boolean): void {
    const returned = granted && this.refused;
    this.refused = !granted;
    if (returned) for (const listener of this.onReturn) listener();
  }
}
