import { Injectable } from '@nestjs/common';
import type { Permission } from '../../common/authorization/permissions.js';
import type { Principal } from '../../common/authorization/principal.js';

export const jobStatuses = ['queued', 'running', 'succeeded', 'failed', 'cancelled'] as const;
export type JobStatus = (typeof jobStatuses)[number];

/** Work on many things, that somebody asked for. */
export interface Job {
  readonly id: string;
  /** Names its kind. */
  readonly type: string;
  readonly status: JobStatus;
  /** Null until it is known. */
  readonly total: number | null;
  readonly done: number;
  readonly failed: number;
  /** The account in whose name it is done. */
  readonly ownerId: string;
  /** The session in which it was asked for; the trail names it. */
  readonly sessionId: string;
  readonly dryRun: boolean;
  /** What its kind needs to know. Nothing personal. */
  readonly parameters: Readonly<Record<string, unknown>>;
  readonly createdAt: Date;
  readonly startedAt: Date | null;
  readonly finishedAt: Date | null;
}

export interface JobCounts {
  readonly done: number;
  readonly failed: number;
  /** Neither, so far. */
  readonly open: number;
}

export const rowStatuses = ['ok', 'failed', 'skipped'] as const;
export type RowStatus = (typeof rowStatuses)[number];

/** What became of a row. */
export interface RowResult {
  readonly index: number;
  readonly itemId: string | null;
  readonly status: RowStatus;
  readonly errorCode: string | null;
  readonly errorMessage: string | null;
}

export interface ResultPage {
  readonly jobId: string;
  /** Null: any. */
  readonly status: RowStatus | null;
  /** Those above it; -1: from the first. */
  readonly after: number;
  readonly limit: number;
  readonly offset: number;
}

/** How jobs of one type are done. */
export interface JobKind {
  readonly type: string;
  /**
   * Does what is still open, over connections of the background, until nothing is or `signal` aborts: what has not
   * committed by then is left. Called again after a crash, and when a row stayed open; one instance at a time as a rule,
   * but one that was held up may come back, so it must be the rows that keep a thing from being done twice.
   */
  perform(job: Job, signal: AbortSignal): Promise<void>;
  count(job: Job): Promise<JobCounts>;
  /** In the unit of work that ends the job: what is open is never done, also what is under way just now. */
  skipOpen(job: Job): Promise<void>;
  /** Of rows that something has become of, in their order. */
  findResults(page: ResultPage): Promise<RowResult[]>;
  countResults(jobId: string, status: RowStatus | null): Promise<number>;
}

export interface BulkContext {
  /** As whom it is done, with the rights that they have now. */
  readonly caller: Principal;
  /** Those of the job. */
  readonly parameters: Readonly<Record<string, unknown>>;
}

/** Something that can be done to many things by one request. */
export interface BulkAction {
  /** Of its jobs. */
  readonly type: string;
  readonly permission: Permission;
  /**
   * Does it to one thing, in the unit of work that also writes its result: by the commands that do it by hand. What
   * these refuse is the failure of that row. It may be begun again. A dry run does it as well, and rolls it back.
   */
  run(itemId: string, context: BulkContext): Promise<void>;
}

/** The kinds of jobs that there are. Each module adds its own before the application starts. */
@Injectable()
export class JobKindsService {
  private readonly kinds = new Map<string, JobKind>();

  register(kind: JobKind): void {
    if (this.kinds.has(kind.type)) throw new Error(`two kinds of jobs are called ${kind.type}`);
    this.kinds.set(kind.type, kind);
  }

  get types(): string[] {
    return [...this.kinds.keys()];
  }

  /** Null for one of a later version of the service. */
  find(type: string): JobKind | null {
    return this.kinds.get(type) ?? null;
  }
}
