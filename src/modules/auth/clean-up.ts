import { Injectable, type OnModuleInit } from '@nestjs/common';
import { inBatches } from '../../platform/jobs/in-batches.js';
import { JobRunner } from '../../platform/jobs/job-runner.js';
import { OneTimeTokensRepository } from './one-time-tokens.repository.js';
import { SessionsRepository } from './sessions.repository.js';
import { SignInFailuresRepository } from './sign-in-failures.repository.js';

const FAILURES_KEPT_SECONDS = 86_400;

/** Deletes expired sessions, tokens and failure counters once an hour, on one instance. */
@Injectable()
export class CleanUp implements OnModuleInit {
  constructor(
    private readonly runner: JobRunner,
    private readonly sessions: SessionsRepository,
    private readonly tokens: OneTimeTokensRepository,
    private readonly failures: SignInFailuresRepository,
  ) {}

  onModuleInit(): void {
    this.runner.registerPeriodic('auth.clean-up', '17 * * * *', () => this.run());
  }

  async run(): Promise<void> {
    await inBatches((limit) => this.sessions.deleteExpired(limit));
    await inBatches((limit) => this.tokens.deleteExpired(limit));
    await this.failures.failLost();
    await inBatches((limit) => this.failures.deleteForgotten(FAILURES_KEPT_SECONDS, limit));
  }
}
