import { Global, Module, type OnModuleInit } from '@nestjs/common';
import { InjectDataSource, TypeOrmModule } from '@nestjs/typeorm';
import { DataSource, type DataSourceOptions } from 'typeorm';
import type { Config } from '../../config/config.js';
import { ConfigModule } from '../../config/config.module.js';
import { DatabaseMetrics } from '../metrics/database.metrics.js';
import { BackgroundPool } from './driver/pools/background.pool.js';
import { BuildInfoService } from './startup/build-info.service.js';
import { backendsOf, dataSourceOptions } from './driver/data-source.js';
import { withPostgresTypes } from './column-types.js';
import { NotificationsService } from './listen/notifications.service.js';
import type { ServicePool } from './driver/pools/service.pool.js';
import { ServiceRoleChecker } from './startup/service-role.checker.js';
import { SqlRunner } from './sql.runner.js';
import { UnitOfWork } from './transactions/unit-of-work.js';
import { WriteAccessMonitor } from './listen/write-access.monitor.js';

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
    BackgroundPool,
    BuildInfoService,
    NotificationsService,
    ServiceRoleChecker,
    WriteAccessMonitor,
  ],
  exports: [
    UnitOfWork,
    SqlRunner,
    BackgroundPool,
    BuildInfoService,
    NotificationsService,
    WriteAccessMonitor,
  ],
})
export class DatabaseModule implements OnModuleInit {
  constructor(
    @InjectDataSource() private readonly dataSource: DataSource,
    private readonly metrics: DatabaseMetrics,
    private readonly writeAccess: WriteAccessMonitor,
  ) {}

  onModuleInit(): void {
    const pool = poolOf(this.dataSource);
    this.metrics.watch(pool);
    // Detects a pooler before it matters.
    void backendsOf(this.dataSource)
      .look([])
      .catch(() => undefined);
    // Sessions opened while the database was read-only may keep refusing writes.
    this.writeAccess.subscribe(() => pool.renew());
  }
}

/** Returns TypeORM's pool, which its types do not expose. */
export const poolOf = (dataSource: DataSource): ServicePool =>
  (dataSource.driver as unknown as { master: ServicePool }).master;
