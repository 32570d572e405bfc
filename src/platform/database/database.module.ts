import { Global, Module, type OnModuleInit } from '@nestjs/common';
import { InjectDataSource, TypeOrmModule } from '@nestjs/typeorm';
import { DataSource, type DataSourceOptions } from 'typeorm';
import type { Config } from '../../config/config.js';
import { ConfigModule } from '../../config/config.module.js';
import { DatabaseMetrics } from '../metrics/database-metrics.js';
import { BackgroundConnections } from './background-connections.js';
import { BuildFacts } from './build-facts.js';
import { backendsOf, dataSourceOptions } from './data-source.js';
import { withPostgresTypes } from './column-types.js';
import { Notifications } from './notifications.js';
import type { ServicePool } from './service-pool.js';
import { ServiceRoleCheck } from './service-role-check.js';
import { SqlRunner } from './sql.runner.js';
import { UnitOfWork } from './unit-of-work.js';
import { WriteAccess } from './write-access.js';

/** The connection pool and the unit of work, for every module. */
@Global()
@Module({
  imports: [
    TypeOrmModule.forRootAsync({
      inject: [ConfigModule.token, DatabaseMetrics],
      useFactory: (config: Config & { readonly DATABASE_URL: string }, metrics: DatabaseMetrics) => ({
        ...dataSourceOptions(config, metrics.observeQuery),
        autoLoadEntities: true,
        // The start has just migrated this database. If it is gone now, fail at once.
        retryAttempts: 1,
      }),
      dataSourceFactory: (options) =>
        // Nest always passes the options of `useFactory`.
        Promise.resolve(withPostgresTypes(new DataSource(options as DataSourceOptions))),
    }),
  ],
  providers: [
    UnitOfWork,
    {
      provide: SqlRunner,
      inject: [UnitOfWork],
      useFactory: (unitOfWork: UnitOfWork) => new SqlRunner(unitOfWork),
    },
    BackgroundConnections,
    BuildFacts,
    Notifications,
    ServiceRoleCheck,
    WriteAccess,
  ],
  exports: [UnitOfWork, SqlRunner, BackgroundConnections, BuildFacts, Notifications, WriteAccess],
})
export class DatabaseModule implements OnModuleInit {
  constructor(
    @InjectDataSource() private readonly dataSource: DataSource,
    private readonly metrics: DatabaseMetrics,
    private readonly writes: WriteAccess,
  ) {}

  onModuleInit(): void {
    const pool = poolOf(this.dataSource);
    this.metrics.watch(pool);
    // Detects a pooler before it matters.
    void backendsOf(this.dataSource)
      .look([])
      .catch(() => undefined);
    // Sessions opened while the database was read-only may keep refusing writes.
    this.writes.subscribe(() => pool.renew());
  }
}

/** Returns TypeORM's pool, which its types do not expose. */
export const poolOf = (dataSource: DataSource): ServicePool =>
  (dataSource.driver as unknown as { master: ServicePool }).master;
