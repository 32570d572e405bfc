import type { Principal } from '../../common/authorization/principal.types.js';
import { AppError } from '../../common/errors/app.error.js';
import type { Job } from './job-registry.service.js';

export const mayManage = (caller: Principal): boolean => caller.permissions.has('jobs:manage');

export const hasEnded = ({ finishedAt }: Job): boolean => finishedAt !== null;

/**
 * Returns the job. Hides it from callers who neither own it nor hold `jobs:manage`.
 * @throws AppError `NOT_FOUND`
 */
export function assertVisible(job: Job | null, caller: Principal): Job {
  if (!job) throw new AppError('NOT_FOUND');
  if (job.ownerId === caller.userId || mayManage(caller)) return job;
  throw new AppError('NOT_FOUND', { denied: true });
}
