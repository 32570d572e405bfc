import { Injectable, type OnModuleInit } from '@nestjs/common';
import { JobRunner } from '../../platform/jobs/job-runner.js';
import { OneTimeTokensRepository } from './one-time-tokens.repository.js';
import { SessionsRepository } from './sessions.repository.js';
import { SignInFailuresRepository } from './sign-in-failures.repository.js';

/** A statement's worth: none holds rows for long. */
const BATCH = 1000;
const MAX_BATCHES = 100;
const FAILURES_KEPT_SECONDS = 86_400;

/** Deletes what has expired, once an hour, on one instance. */
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
    await inBatches(() => this.sessions.deleteExpired(BATCH));
    await inBatches(() => this.tokens.deleteExpired(BATCH));
    await inBatches(() => this.failures.deleteForgotten(FAILURES_KEPT_SECONDS, BATCH));
  }
}

/** What is left after so many is the next hour's. */
async function inBatches(deleteSome: () => Promise<number>): Promise<void> {
  for (let batch = 0; batch < MAX_BATCHES; batch++) {
    if ((await deleteSome()) < BATCH) return;
  }
}
