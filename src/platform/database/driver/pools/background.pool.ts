import { Injectable, type OnApplicationShutdown } from '@nestjs/common';
import { InjectDataSource } from '@nestjs/typeorm';
import { DataSource } from 'typeorm';
import type { Config } from '../../../../config/config.js';
import { InjectConfig } from '../../../../config/config.module.js';
import { DatabaseMetrics } from '../../../metrics/database.metrics.js';
import { withPostgresTypes } from '../../column-types.js';
import { dataSourceOptions } from '../data-source.js';
import { UnitOfWork } from '../../transactions/unit-of-work.js';

/**
 * Connections beyond one for each concurrent row: the code that distributes the rows and holds the jobs needs
 * them.
 */
const EXTRA_CONNECTIONS = 4;
const IDLE_MS = 10_000;

/**
 * Connections for work that no request waits for. They are separate from the request pool, so that long
 * background work cannot take connections from requests. They open on first use and close soon after.
 */
@Injectable()
export class BackgroundPool implements OnApplicationShutdown {
  private opened: Promise<DataSource> | null = null;

  constructor(
    @InjectConfig() private readonly config: Config & { readonly DATABASE_URL: string },
    @InjectDataSource() private readonly dataSource: DataSource,
    private readonly metrics: DatabaseMetrics,
    private readonly unitOfWork: UnitOfWork,
  ) {}

  /** Runs `work` so that all its database access uses these connections. */
  async runWith<T>(work: () => Promise<T>): Promise<T> {
    return this.unitOfWork.withDataSource(await this.open(), work);
  }

  async onApplicationShutdown(): Promise<void> {
    const source = await this.opened?.catch(() => null);
    await source?.destroy();
  }

  private open(): Promise<DataSource> {
    this.opened ??= this.connect().catch((error: unknown) => {
      // The next caller tries again.
      this.opened = null;
      throw error;
    });
    return this.opened;
  }

  private connect(): Promise<DataSource> {
    const options = dataSourceOptions(this.config, this.metrics.observeQuery);
    const source = new DataSource({
      ...options,
      entities: this.dataSource.options.entities ?? [],
      extra: {
        ...options.extra,
        min: 0,
        max: this.config.BATCH_CONCURRENCY + EXTRA_CONNECTIONS,
        idleTimeoutMillis: IDLE_MS,
      },
    });
    return withPostgresTypes(source).initialize();
  }
}
