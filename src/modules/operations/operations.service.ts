import { Injectable } from '@nestjs/common';
import type { Config } from '../../config/config.js';
import { InjectConfig } from '../../config/config.module.js';
import type { LogLevel } from '../../config/log-levels.js';
import { changesBetween } from '../../platform/audit-log/audit-details.js';
import { AuditLog } from '../../platform/audit-log/audit-log.service.js';
import { WriteAccessMonitor } from '../../platform/database/listen/write-access.monitor.js';
import { BuildInfoService } from '../../platform/database/startup/build-info.service.js';
import { UnitOfWork } from '../../platform/database/transactions/unit-of-work.js';
import { HorizonMonitor } from '../../platform/event-store/horizon.monitor.js';
import { LogLevelService } from '../../platform/logging/log-level.service.js';
import { TaskStates } from '../../platform/queue/task.states.js';
import { SealsService } from '../audit/sealing/seals.service.js';
import { JobsService } from '../jobs/jobs.service.js';
import { DeliveriesService } from '../webhooks/deliveries/deliveries.service.js';
import type { LogLevelResponse } from './dto/log-level.response.js';
import { type OperationsInfoResponse, toInstanceResponse } from './dto/operations-info.response.js';
import { InstancePresence } from './instance-presence.service.js';
import { InstancesRepository } from './instances.repository.js';

/** Shows operators the state of the installation, and changes the log level of this instance. */
@Injectable()
export class OperationsService {
  constructor(
    @InjectConfig() private readonly config: Config & { readonly REPLICA_DATABASE_URL?: string | undefined },
    private readonly presence: InstancePresence,
    private readonly instances: InstancesRepository,
    private readonly build: BuildInfoService,
    private readonly writeAccess: WriteAccessMonitor,
    private readonly logLevel: LogLevelService,
    private readonly tasks: TaskStates,
    private readonly jobs: JobsService,
    private readonly deliveries: DeliveriesService,
    private readonly seals: SealsService,
    private readonly horizon: HorizonMonitor,
    private readonly unitOfWork: UnitOfWork,
    private readonly audit: AuditLog,
  ) {}

  /** Reads the state now. The statements run one after another, so that they take one connection. */
  async readInfo(): Promise<OperationsInfoResponse> {
    const instances = await this.instances.findLiving();
    const serverVersion = await this.instances.readServerVersion();
    return {
      ...this.build.running,
      instance_id: this.presence.id,
      log_level: this.logLevel.level,
      instances: instances.map(toInstanceResponse),
      database: { server_version: serverVersion, writable: this.writeAccess.granted },
      redis: this.config.REDIS_URL !== undefined,
      replica: this.config.REPLICA_DATABASE_URL !== undefined,
      tasks: await this.readTasks(),
      jobs: await this.readJobs(),
      webhooks: await this.readWebhooks(),
      seal_lag_seconds: await this.seals.lagSeconds(),
      horizon_lag_seconds: await this.horizon.sample(),
    };
  }

  /** Sets the level once its audit entry is stored. */
  async setLogLevel(level: LogLevel): Promise<LogLevelResponse> {
    const { id } = this.presence;
    await this.unitOfWork.run(async () => {
      await this.audit.record({
        action: 'instance.set_log_level',
        target: { type: 'instance', id },
        changes: changesBetween({ level: this.logLevel.level }, { level }),
      });
      this.unitOfWork.afterCommit(() => this.logLevel.set(level));
    });
    return { instance_id: id, level };
  }

  private async readTasks(): Promise<OperationsInfoResponse['tasks']> {
    const states = await this.tasks.read();
    const sum = (count: 'waiting' | 'running' | 'failed') =>
      states.reduce((total, state) => total + state[count], 0);
    return {
      waiting: sum('waiting'),
      running: sum('running'),
      failed: sum('failed'),
      oldest_seconds: Math.max(0, ...states.map(({ oldestSeconds }) => oldestSeconds)),
    };
  }

  private async readJobs(): Promise<OperationsInfoResponse['jobs']> {
    const { queued, running, oldestSeconds } = await this.jobs.readState();
    return { queued, running, oldest_seconds: oldestSeconds };
  }

  private async readWebhooks(): Promise<OperationsInfoResponse['webhooks']> {
    const { pending, dead, paused, lagSeconds } = await this.deliveries.readState();
    return { pending, dead, paused, lag_seconds: lagSeconds };
  }
}
