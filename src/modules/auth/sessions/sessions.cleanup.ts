import { Injectable, type OnModuleInit } from '@nestjs/common';
import { deleteInBatches } from '../../../platform/queue/delete-in-batches.js';
import { TaskWorker } from '../../../platform/queue/task.worker.js';
import { OneTimeTokensRepository } from '../recovery/one-time-tokens.repository.js';
import { SessionsRepository } from './sessions.repository.js';
import { SignInFailuresRepository } from '../sign-in/sign-in-failures.repository.js';

const FAILURE_RETENTION_SECONDS = 86_400;

/** Deletes expired sessions, tokens and failure counters once an hour, on one instance. */
@Injectable()
export class SessionsCleanup implements OnModuleInit {
  constructor(
    private readonly worker: TaskWorker,
    private readonly sessions: SessionsRepository,
    private readonly tokens: OneTimeTokensRepository,
    private readonly failures: SignInFailuresRepository,
  ) {}

  onModuleInit(): void {
    this.worker.registerPeriodic('auth.clean-up', '17 * * * *', () => this.run());
  }

  async run(): Promise<void> {
    await deleteInBatches((limit) => this.sessions.deleteExpired(limit));
    await deleteInBatches((limit) => this.tokens.deleteExpired(limit));
    await this.failures.failLost();
    await deleteInBatches((limit) => this.failures.deleteForgotten(FAILURE_RETENTION_SECONDS, limit));
  }
}
