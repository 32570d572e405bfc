import { Injectable } from '@nestjs/common';
import type { Permission } from '../../common/authorization/permissions.js';
import type { Principal } from '../../common/authorization/principal.types.js';

export const jobStatuses = ['queued', 'running', 'succeeded', 'failed', 'cancelled'] as const;
export type JobStatus = (typeof jobStatuses)[number];

/** A bulk operation on many items, requested by a user. */
export interface Job {
  readonly id: string;
  /** The name of the job's kind. */
  readonly type: string;
  readonly status: JobStatus;
  /** The number of rows, or null until known. */
  readonly total: number | null;
  readonly done: number;
  readonly failed: number;
  /** The user on whose behalf the job runs. */
  readonly ownerId: string;
  /** The session that requested the job. Its audit entries name this session. */
  readonly sessionId: string;
  readonly dryRun: boolean;
  /** The parameters of the job's kind. They contain no personal data. */
  readonly parameters: Readonly<Record<string, unknown>>;
  /** The request that created the job; null if it had no trace. */
  readonly traceparent: string | null;
  readonly createdAt: Date;
  readonly startedAt: Date | null;
  readonly finishedAt: Date | null;
}

export interface JobCounts {
  readonly done: number;
  readonly failed: number;
  /** The number of rows without a result. */
  readonly open: number;
}

export const rowStatuses = ['ok', 'failed', 'skipped'] as const;
export type RowStatus = (typeof rowStatuses)[number];

/** The result of a row. */
export interface RowResult {
  readonly index: number;
  readonly itemId: string | null;
  readonly status: RowStatus;
  readonly errorCode: string | null;
  readonly errorMessage: string | null;
  /** The number of the row's line in the file, for a job that has one. */
  readonly line?: number | null;
  /** The address of the row, for a job whose rows have one and a caller who may see it. */
  readonly email?: string | null;
  /** The action on the row, for a job with several. */
  readonly action?: RowAction | null;
}

export const rowActions = ['created', 'updated', 'unchanged', 'skipped'] as const;
export type RowAction = (typeof rowActions)[number];

/** The rejected rows of a job as a file, for their owner to fix and send again. */
export interface RejectedFile {
  /** The `Content-Type`. */
  readonly type: string;
  readonly filename: string;
  readonly content: AsyncGenerator<Buffer>;
}

export interface ResultPage {
  readonly jobId: string;
  /** True for a job that changes nothing. */
  readonly dryRun: boolean;
  /** The caller who reads the results. */
  readonly caller: Principal;
  /** The status to select, or null for every status. */
  readonly status: RowStatus | null;
  /** The index after which the page starts. -1 starts at the first row. */
  readonly after: number;
  readonly limit: number;
  readonly offset: number;
}

/** The implementation of one job type. */
export interface JobKind {
  readonly type: string;
  /**
   * Processes the open rows over background connections until none is left or `signal` aborts. Work not
   * committed by then is abandoned. The worker calls it again after a crash and when a row stayed open.
   * Usually one instance at a time runs it. A stalled instance may come back, however, so the rows must
   * prevent double processing.
   */
  perform(job: Job, signal: AbortSignal): Promise<void>;
  count(job: Job): Promise<JobCounts>;
  /**
   * Skips the open rows in the unit of work that ends the job. Rows being processed at that moment do not
   * take effect.
   */
  skipOpen(job: Job): Promise<void>;
  /** Returns rows with a result, in row order. */
  findResults(page: ResultPage): Promise<RowResult[]>;
  countResults(jobId: string, status: RowStatus | null): Promise<number>;
  /** Opens the rejected rows of a job that has ended; null once they are deleted. Not every kind keeps them. */
  openRejected?(job: Job): Promise<RejectedFile | null>;
}

/**
 * Returns the job type as clients see it. A number after a slash is the version of what the job has stored.
 * Instances that do not know that version must not claim the job.
 */
export const publicType = (type: string): string => type.replace(/\/\d+$/, '');

export interface BulkContext {
  /** The job's owner with the owner's current permissions. */
  readonly caller: Principal;
  /** The parameters of the job. */
  readonly parameters: Readonly<Record<string, unknown>>;
}

/** An action that one request can perform on many items. */
export interface BulkAction {
  /** The type of its jobs. */
  readonly type: string;
  readonly permission: Permission;
  /**
   * Performs the action on one item in the unit of work that also writes its result. Uses the same commands
   * as a single request. An error that these throw fails the row. May run again after a rollback. A dry run
   * performs it too and rolls it back.
   */
  run(itemId: string, context: BulkContext): Promise<void>;
}

/** The registry of job kinds. Each module registers its own before the application starts. */
@Injectable()
export class JobRegistry {
  private readonly kinds = new Map<string, JobKind>();

  register(kind: JobKind): void {
    if (this.kinds.has(kind.type)) throw new Error(`job type ${kind.type} is registered twice`);
    this.kinds.set(kind.type, kind);
  }

  get types(): string[] {
    return [...this.kinds.keys()];
  }

  /** Returns null for a type that only a later version of the service knows. */
  find(type: string): JobKind | null {
    return this.kinds.get(type) ?? null;
  }
}
