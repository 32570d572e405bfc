import { applyDecorators } from '@nestjs/common';
import { ApiAcceptedResponse, ApiProperty } from '@nestjs/swagger';
import type { Response } from 'express';
import type { Answer } from '../../../platform/http/answers/prepare-answer.js';
import { type Job, jobStatuses, type JobStatus, publicType } from '../job-registry.service.js';

/** A job as the API returns it. */
export class JobResponse {
  @ApiProperty({ format: 'uuid', example: '0192f1c4-8a4e-7c31-9d52-3f6f0c2b7a10' })
  id: string;

  /** The kind of work
   * @example users.disable */
  type: string;

  /** True if the job only tries out its work and changes nothing
   * @example false */
  dry_run: boolean;

  /** The status of the job. `succeeded` means that the job ran to completion, even if some rows failed. `failed` counts those rows */
  @ApiProperty({ enum: jobStatuses, example: 'running' })
  status: JobStatus;

  /** The number of rows. Null until known */
  @ApiProperty({ type: 'integer', minimum: 0, nullable: true, example: 1000 })
  total: number | null;

  /** The number of rows that succeeded. May lag by a second until the job has ended */
  @ApiProperty({ type: 'integer', minimum: 0, example: 250 })
  done: number;

  /** The number of rows that failed. They do not count as done */
  @ApiProperty({ type: 'integer', minimum: 0, example: 1 })
  failed: number;

  @ApiProperty({ format: 'date-time', example: '2026-01-01T12:00:00.000Z' })
  created_at: string;

  @ApiProperty({ type: String, format: 'date-time', nullable: true, example: '2026-01-01T12:00:00.100Z' })
  started_at: string | null;

  @ApiProperty({ type: String, format: 'date-time', nullable: true, example: null })
  finished_at: string | null;
}

export function toJobResponse(job: Job): JobResponse {
  return {
    id: job.id,
    type: publicType(job.type),
    dry_run: job.dryRun,
    status: job.status,
    total: job.total,
    done: job.done,
    failed: job.failed,
    created_at: job.createdAt.toISOString(),
    started_at: job.startedAt?.toISOString() ?? null,
    finished_at: job.finishedAt?.toISOString() ?? null,
  };
}

/**
 * Returns the response to a request that creates a job, both to send and to store for its Idempotency-Key.
 */
export const jobAnswer = (job: Job): Answer => ({
  status: 202,
  headers: { Location: `/api/jobs/${job.id}`, 'Content-Type': 'application/json; charset=utf-8' },
  body: JSON.stringify(toJobResponse(job)),
});

/** Documents a 202 response with the job and its `Location`. */
export const ApiJob = () =>
  applyDecorators(
    ApiAcceptedResponse({ type: JobResponse, headers: { Location: { schema: { type: 'string' } } } }),
  );

/** Sets `Location` and returns the job as the response body. */
export function sendJob(job: Job, response: Response): JobResponse {
  response.location(`/api/jobs/${job.id}`);
  return toJobResponse(job);
}
