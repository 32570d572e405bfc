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
import { type Job, JobRegistry, type RowResult } from './job-registry.service.js';
import { assertVisible, mayManage } from './job.policy.js';
import { JobsRepository } from './storage/jobs.repository.js';

/** Answers queries about jobs. Commands make the changes. */
@Injectable()
export class JobsService {
  constructor(
    private readonly jobs: JobsRepository,
    private readonly registry: JobRegistry,
  ) {}

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
    const { type } = await this.get(id, caller);
    assertOffsetOrCursor(query);
    const { limit = DEFAULT_LIMIT, offset = 0, status = null } = query;
    const scope = { list: 'results', job: id, status: status ?? undefined };
    const after = query.cursor === undefined ? -1 : indexOf(decodeCursor(query.cursor, scope).key);
    const kind = this.registry.find(type);
    const rows = (await kind?.findResults({ jobId: id, status, after, limit: limit + 1, offset })) ?? [];
    return toPage(
      rows,
      query,
      (last) => encodeCursor({ key: String(last.index), id }, scope),
      async () => (await kind?.countResults(id, status)) ?? 0,
    );
  }
}

/** Validates the index, because a cursor is client input. @throws AppError `VALIDATION_ERROR` */
function indexOf(key: string): number {
  if (!/^\d{1,9}$/.test(key)) throw AppError.invalid('cursor', 'cursor was not issued by this list');
  return Number(key);
}
