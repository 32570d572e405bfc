import { Injectable, Logger } from '@nestjs/common';
import { UnitOfWork } from '../../platform/database/unit-of-work.js';

interface Ids {
  readonly user_id: string | null;
  readonly session_id?: string;
  readonly reason?: string;
}

/** Logs changes to sessions and credentials. Entries contain ids only, never a token, password or address. */
@Injectable()
export class SecurityLog {
  private readonly logger = new Logger('Security');

  constructor(private readonly unitOfWork: UnitOfWork) {}

  /** Logs a change after the current transaction commits. */
  changed(what: string, ids: Ids): void {
    this.unitOfWork.afterCommit(() => this.logger.log(ids, what));
  }

  /** Logs a refusal at once, because it changes nothing. */
  refused(what: string, ids: Ids): void {
    this.logger.warn(ids, what);
  }
}
