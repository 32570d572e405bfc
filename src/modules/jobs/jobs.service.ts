import { Injectable } from '@nestjs/common';
import type { Principal } from '../../common/authorization/principal.types.js';
import { AppError } from '../../common/errors/app.error.js';
import { assertTimeKey, decodeCursor, encodeCursor } from '../../common/pagination/cursor.js';
import { type Page, toPage } from '../../common/pagination/page.js';
import {
  assertOffsetOrCursor,
  DEFAULT_LIMIT,
  type PageQuery,
} from '../../common/pagination/page-query.dto.js';
import type { ListResultsDto } from './dto/list-results.dto.js';
import { type Job, JobRegistry, type RejectedFile, type RowResult } from './job-registry.service.js';
import { assertVisible, hasEnded, mayManage } from './job.policy.js';
import { JobsRepository, type JobsState } from './storage/jobs.repository.js';

/** Answers queries about jobs. Commands make the changes. */
@Injectable()
export class JobsService {
  constructor(
    private readonly jobs: JobsRepository,
    private readonly registry: JobRegistry,
  ) {}

  /** Counts the open jobs of all instances. */
  readState(): Promise<JobsState> {
    return this.jobs.readState();
  }

  /** Lists the caller's jobs, newest first. With `jobs:manage`, lists the jobs of all users. */
  async list(query: PageQuery, caller: Principal): Promise<Page<Job>> {
    assertOffsetOrCursor(query);
    const ownerId = mayManage(caller) ? null : caller.userId;
    const { limit = DEFAULT_LIMIT, offset = 0 } = query;
    const scope = { list: 'jobs', owner: ownerId ?? undefined };
    const after = query.cursor === undefined ? null : decodeCursor(query.cursor, scope);
    if (after) assertTimeKey(after.key);
    const rows = await this.jobs.findPage({ ownerId, limit: limit + 1, offset, after });
    return toPage(
      rows,
      query,
      (last) => encodeCursor({ key: last.createdAt.toISOString(), id: last.id }, scope),
      (kind) => (kind === 'exact' ? this.jobs.count(ownerId) : this.jobs.estimate(ownerId)),
    );
  }

  /** Returns the job if the caller may see it. @throws AppError `NOT_FOUND` */
  async get(id: string, caller: Principal): Promise<Job> {
    return assertVisible(await this.jobs.findById(id), caller);
  }

  /** Lists the results in row order, without rows that have none yet. @throws AppError `NOT_FOUND` */
  async results(id: string, query: ListResultsDto, caller: Principal): Promise<Page<RowResult>> {
    const { type, dryRun } = await this.get(id, caller);
    assertOffsetOrCursor(query);
    const { limit = DEFAULT_LIMIT, offset = 0, status = null } = query;
    const scope = { list: 'results', job: id, status: status ?? undefined };
    const after = query.cursor === undefined ? -1 : indexOf(decodeCursor(query.cursor, scope).key);
    const kind = this.registry.find(type);
    const wanted = { jobId: id, dryRun, caller, status, after, limit: limit + 1, offset };
    const rows = (await kind?.findResults(wanted)) ?? [];
    return toPage(
      rows,
      query,
      (last) => encodeCursor({ key: String(last.index), id }, scope),
      async () => (await kind?.countResults(id, status)) ?? 0,
    );
  }

  /**
   * Opens the rejected rows of a job as a file. They contain personal data, so that `jobs:manage` alone does
   * not show those of another user's job.
   * @throws AppError `NOT_FOUND` when there are none to keep or they are deleted, `FORBIDDEN`, `CONFLICT` while
   * the job runs
   */
  async openRejected(id: string, caller: Principal): Promise<RejectedFile> {
    const job = await this.get(id, caller);
    const kind = this.registry.find(job.type);
    if (!kind?.openRejected) throw new AppError('NOT_FOUND', { message: 'This job keeps no rejected rows' });
    if (job.ownerId !== caller.userId && !caller.permissions.has('users:write'))
      throw new AppError('FORBIDDEN');
    if (!hasEnded(job)) throw new AppError('CONFLICT', { message: 'This job has not ended yet' });
    const file = await kind.openRejected(job);
    if (!file) throw new AppError('NOT_FOUND', { message: 'The rejected rows are no longer kept' });
    return file;
  }
}

/** Validates the index, because a cursor is client input. @throws AppError `VALIDATION_ERROR` */
function indexOf(key: string): number {
  if (!/^\d{1,9}$/.test(key)) throw AppError.invalid('cursor', 'cursor was not issued by this list');
  return Number(key);
}
