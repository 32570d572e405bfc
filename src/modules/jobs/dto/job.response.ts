import { applyDecorators } from '@nestjs/common';
import { ApiAcceptedResponse, ApiProperty } from '@nestjs/swagger';
import type { Response } from 'express';
import type { Answer } from '../../../platform/http/answer.js';
import { type Job, jobStatuses, type JobStatus } from '../job-kinds.service.js';

/** A job as it travels. */
export class JobResponse {
  @ApiProperty({ format: 'uuid', example: '0192f1c4-8a4e-7c31-9d52-3f6f0c2b7a10' })
  id: string;

  /** What is done
   * @example users.disable */
  type: string;

  /** `succeeded`: it came to its end, whatever became of its rows */
  @ApiProperty({ enum: jobStatuses, example: 'running' })
  status: JobStatus;

  /** Rows; null until it is known */
  @ApiProperty({ type: 'integer', minimum: 0, nullable: true, example: 1000 })
  total: number | null;

  /** Rows that were done. May lag by a second until the job has ended */
  @ApiProperty({ type: 'integer', minimum: 0, example: 250 })
  done: number;

  /** Rows that failed; none of them counts as done */
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
    type: job.type,
    status: job.status,
    total: job.total,
    done: job.done,
    failed: job.failed,
    created_at: job.createdAt.toISOString(),
    started_at: job.startedAt?.toISOString() ?? null,
    finished_at: job.finishedAt?.toISOString() ?? null,
  };
}

/** Returns the answer of a request that has begun a job, as it is sent and as it is kept for its Idempotency-Key. */
export const jobAnswer = (job: Job): Answer => ({
  status: 202,
  headers: { Location: `/api/jobs/${job.id}`, 'Content-Type': 'application/json; charset=utf-8' },
  body: JSON.stringify(toJobResponse(job)),
});

/** Documents a 202: the job, and in `Location` where it is. */
export const ApiJob = () =>
  applyDecorators(
    ApiAcceptedResponse({ type: JobResponse, headers: { Location: { schema: { type: 'string' } } } }),
  );

/** Says where the job is that the answer holds. */
export function sendJob(job: Job, response: Response): JobResponse {
  response.location(`/api/jobs/${job.id}`);
  return toJobResponse(job);
}
