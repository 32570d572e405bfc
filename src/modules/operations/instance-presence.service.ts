import { hostname } from 'node:os';
import { Injectable, type OnApplicationBootstrap, type OnModuleDestroy } from '@nestjs/common';
import { newId } from '../../common/ids.js';
import { buildInfo } from '../../config/build-info.js';
import { PeriodicTask } from '../../platform/lifecycle/periodic-task.js';
import { InstancesRepository } from './instances.repository.js';

const HEARTBEAT_INTERVAL_MS = 10_000;

/** Tells the other instances that this one lives, until it stops. */
@Injectable()
export class InstancePresence implements OnApplicationBootstrap, OnModuleDestroy {
  /** The id of this instance, which changes with each start. */
  readonly id = newId();
  private readonly task = new PeriodicTask(
    HEARTBEAT_INTERVAL_MS,
    () => this.repository.beat({ id: this.id, host: hostname(), ...buildInfo }),
    // Without a database nobody can ask for the instances, and other parts log the failure.
    () => {},
  );

  constructor(private readonly repository: InstancesRepository) {}

  onApplicationBootstrap(): void {
    void this.task.run();
    this.task.start();
  }

  async onModuleDestroy(): Promise<void> {
    await this.task.stop();
    // If this fails, the others forget the instance a minute later.
    await this.repository.delete(this.id).catch(() => {});
  }
}
