import { Injectable, type OnApplicationBootstrap } from '@nestjs/common';
import { InjectMetric } from '@willsoto/nestjs-prometheus';
import type { Gauge } from 'prom-client';
import { buildInfo } from '../../../config/build-info.js';
import { BUILD_INFO } from '../../metrics/metric-names.js';
import { SqlRunner } from '../sql.runner.js';

export interface RunningBuild {
  readonly version: string;
  readonly commit: string | null;
  /** The timestamp of the latest migration applied when this instance started. */
  readonly schema: string;
}

/** Reports which build runs and on which schema version. */
@Injectable()
export class BuildInfoService implements OnApplicationBootstrap {
  private schema = 'unknown';

  constructor(
    private readonly sql: SqlRunner,
    @InjectMetric(BUILD_INFO) private readonly gauge: Gauge,
  ) {}

  async onApplicationBootstrap(): Promise<void> {
    const latest = await this.sql.one<{ schema: string | null }>(
      'SELECT max(timestamp)::text AS schema FROM migrations',
    );
    this.schema = latest.schema ?? this.schema;
    const { version, commit, schema } = this.running;
    this.gauge.set({ version, commit: commit ?? 'unknown', schema }, 1);
  }

  get running(): RunningBuild {
    return { ...buildInfo, schema: this.schema };
  }
}
