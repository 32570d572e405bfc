import { ApiProperty } from '@nestjs/swagger';
import { type LogLevel, logLevels } from '../../../config/log-levels.js';
import type { Instance } from '../instance.entity.js';

const COUNT = { type: 'integer', minimum: 0, example: 0 } as const;
const SECONDS = { type: 'number', minimum: 0, example: 0.4 } as const;

/** An instance that lives. */
export class InstanceResponse {
  /** The id, which changes with each start */
  @ApiProperty({ format: 'uuid', example: '0192f1c4-8a4e-7c31-9d52-3f6f0c2b7a10' })
  id: string;

  /** The name of the machine or pod
   * @example gatehouse-7d9f4 */
  host: string;

  /** The version of its build
   * @example 0.1.0 */
  version: string;

  /** The commit of its build; null if it is unknown */
  @ApiProperty({ type: String, nullable: true, example: '5531594' })
  commit: string | null;

  /** The time of its start */
  @ApiProperty({ format: 'date-time', example: '2026-01-01T12:00:00.000Z' })
  started_at: string;

  /** The time of its last heartbeat, at most ten seconds ago unless it was killed */
  @ApiProperty({ format: 'date-time', example: '2026-01-01T12:30:05.120Z' })
  seen_at: string;
}

/** The database that the instance uses. */
export class DatabaseInfoResponse {
  /** The version of the server
   * @example '18.1' */
  server_version: string;

  /** False while the database is read-only
   * @example true */
  writable: boolean;
}

/** The task queue of all instances. */
export class TasksInfoResponse {
  /** Tasks that are due or will be, including failed ones that are tried again, up to 100,000 */
  @ApiProperty(COUNT)
  waiting: number;

  @ApiProperty({ ...COUNT, description: 'Tasks that an instance is running' })
  running: number;

  @ApiProperty({ ...COUNT, description: 'Tasks that have failed for good' })
  failed: number;

  @ApiProperty({ ...SECONDS, description: 'The seconds for which the oldest due task has waited' })
  oldest_seconds: number;
}

/** The bulk jobs of all instances. */
export class JobsInfoResponse {
  @ApiProperty({ ...COUNT, description: 'Jobs that wait, up to 10,000' })
  queued: number;

  @ApiProperty({ ...COUNT, description: 'Jobs that an instance is running' })
  running: number;

  @ApiProperty({ ...SECONDS, description: 'The seconds for which the oldest queued job has waited' })
  oldest_seconds: number;
}

/** The deliveries to all webhooks. */
export class WebhooksInfoResponse {
  @ApiProperty({ ...COUNT, description: 'Deliveries that wait, up to 100,000' })
  pending: number;

  @ApiProperty({ ...COUNT, description: 'Deliveries that failed for good, up to 100,000' })
  dead: number;

  @ApiProperty({ ...COUNT, description: 'Webhooks that are paused' })
  paused: number;

  @ApiProperty({
    ...SECONDS,
    description: 'The seconds for which the oldest due delivery of an active webhook has waited',
  })
  lag_seconds: number;
}

/** The state of the installation, as the instance that answered sees it. */
export class OperationsInfoResponse {
  /** The version of the instance that answered
   * @example 0.1.0 */
  version: string;

  /** The commit of the instance that answered; null if it is unknown */
  @ApiProperty({ type: String, nullable: true, example: '5531594' })
  commit: string | null;

  /** The timestamp of the latest migration when the instance that answered started
   * @example '1795885700000' */
  schema: string;

  /** The id of the instance that answered */
  @ApiProperty({ format: 'uuid', example: '0192f1c4-8a4e-7c31-9d52-3f6f0c2b7a10' })
  instance_id: string;

  /** The log level of the instance that answered */
  @ApiProperty({ enum: logLevels, example: 'info' })
  log_level: LogLevel;

  /** The instances that live, the newest first, up to 1,000. A killed one is forgotten after a minute */
  @ApiProperty({ type: [InstanceResponse] })
  instances: InstanceResponse[];

  database: DatabaseInfoResponse;

  /** True if `REDIS_URL` is set for the instance that answered
   * @example false */
  redis: boolean;

  /** True if `REPLICA_DATABASE_URL` is set for the instance that answered
   * @example false */
  replica: boolean;

  tasks: TasksInfoResponse;

  jobs: JobsInfoResponse;

  webhooks: WebhooksInfoResponse;

  /** The age in seconds of the oldest audit entry without a seal; 0 if all have one */
  @ApiProperty(SECONDS)
  seal_lag_seconds: number;

  /** The age in seconds of the oldest transaction that may still write; events and seals wait for it */
  @ApiProperty(SECONDS)
  horizon_lag_seconds: number;
}

export const toInstanceResponse = (instance: Instance): InstanceResponse => ({
  id: instance.id,
  host: instance.host,
  version: instance.version,
  commit: instance.commit,
  started_at: instance.startedAt.toISOString(),
  seen_at: instance.seenAt.toISOString(),
});
