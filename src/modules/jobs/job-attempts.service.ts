import { Injectable } from '@nestjs/common';
import type { Principal } from '../../common/authorization/principal.types.js';
import { requestContext } from '../../common/context/request-context.js';
import { traceContext } from '../../common/context/trace-context.js';
import { AppError } from '../../common/errors/app.error.js';
import { UnitOfWork } from '../../platform/database/transactions/unit-of-work.js';
import type { Job } from './job-registry.service.js';

/** The time limit of one attempt in ms. Shorter than the transaction time limit of the database. */
const ATTEMPT_LIMIT_MS = 20_000;

/** The error that rolls back the changes of a dry run. */
class DryRunRollback extends Error {
  constructor(readonly result: unknown) {
    super();
  }
}

/** Runs attempts at parts of a job, of any kind. */
@Injectable()
export class JobAttemptsService {
  constructor(private readonly unitOfWork: UnitOfWork) {}

  /**
   * Makes an attempt as the job's owner, who is null once the owner may no longer act. Audit entries name the owner
   * as actor and the job as request id.
   */
  runAsOwner<T>(
    { id }: Job,
    owner: Principal | null,
    signal: AbortSignal,
    attempt: () => Promise<T>,
  ): Promise<T> {
    return requestContext.run(
      {
        requestId: id,
        trace: traceContext.current(),
        origin: null,
        signal: AbortSignal.any([signal, AbortSignal.timeout(ATTEMPT_LIMIT_MS)]),
        caller: { principal: owner, refusal: null },
      },
      attempt,
    );
  }

  /** Does the work in a unit of work and rolls it back. @returns the result of the work */
  async dryRun<T>(work: () => Promise<T>): Promise<T> {
    try {
      return await this.unitOfWork.run<T>(async () => {
        throw new DryRunRollback(await work());
      });
    } catch (error) {
      if (error instanceof DryRunRollback) return error.result as T;
      throw error;
    }
  }
}

/** Creates the error of a row whose job's owner may no longer act. */
export const ownerLacksPermission = (): AppError =>
  new AppError('FORBIDDEN', {
    message: 'The user who requested this job no longer has the permission',
    denied: false,
  });
