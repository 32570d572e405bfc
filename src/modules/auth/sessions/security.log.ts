import { Injectable, Logger } from '@nestjs/common';
import { UnitOfWork } from '../../../platform/database/transactions/unit-of-work.js';

interface LoggedIds {
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
  logChange(message: string, ids: LoggedIds): void {
    this.unitOfWork.afterCommit(() => this.logger.log(ids, message));
  }

  /** Logs a refusal at once, because it changes nothing. */
  logRefusal(message: string, ids: LoggedIds): void {
    this.logger.warn(ids, message);
  }
}
