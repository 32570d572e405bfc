import type { UnitOfWork } from '../../../platform/database/transactions/unit-of-work.js';

/** The error that rolls back the changes of a dry run. */
class DryRunRollback extends Error {
  constructor(readonly result: unknown) {
    super();
  }
}

/** Does the work in a unit of work and rolls it back. @returns the result of the work */
export async function dryRun<T>(unitOfWork: UnitOfWork, work: () => Promise<T>): Promise<T> {
  try {
    return await unitOfWork.run<T>(async () => {
      throw new DryRunRollback(await work());
    });
  } catch (error) {
    if (error instanceof DryRunRollback) return error.result as T;
    throw error;
  }
}
