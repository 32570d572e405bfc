import { Injectable } from '@nestjs/common';
import { InjectMetric } from '@willsoto/nestjs-prometheus';
import { Counter, Gauge } from 'prom-client';
import { TASK_QUEUE } from '../metrics/metric-names.js';
import { StateSampler } from '../metrics/state.sampler.js';
import { TaskStates } from './task.states.js';

/** The label of tasks that this release does not know. Their number has no bound. */
const UNKNOWN = 'other';

/** Counts the tasks that this instance runs, and shows what all instances have queued. */
@Injectable()
export class QueueMetrics {
  private readonly known = new Set<string>();

  constructor(
    private readonly states: TaskStates,
    sampler: StateSampler,
    @InjectMetric(TASK_QUEUE.tasks) private readonly tasks: Gauge,
    @InjectMetric(TASK_QUEUE.oldest) private readonly oldest: Gauge,
    @InjectMetric(TASK_QUEUE.runs) private readonly runs: Counter,
  ) {
    sampler.add(() => this.sample());
  }

  /** Makes the name of a task a label. */
  know(task: string): void {
    this.known.add(task);
  }

  /** Counts the run, and passes its result on. */
  async count(task: string, run: Promise<void>): Promise<void> {
    try {
      await run;
      this.runs.inc({ task, outcome: 'succeeded' });
    } catch (error) {
      this.runs.inc({ task, outcome: 'failed' });
      throw error;
    }
  }

  private async sample(): Promise<void> {
    const states = await this.states.read();
    this.tasks.reset();
    for (const { task: name, waiting, running, failed } of states) {
      const task = this.known.has(name) ? name : UNKNOWN;
      for (const [state, count] of Object.entries({ waiting, running, failed }))
        this.tasks.inc({ task, state }, count);
    }
    this.oldest.set(Math.max(0, ...states.map(({ oldestSeconds }) => oldestSeconds)));
  }
}
