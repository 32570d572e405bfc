import { Global, Module, type OnModuleInit } from '@nestjs/common';
import { InjectDataSource, TypeOrmModule } from '@nestjs/typeorm';
import { DataSource } from 'typeorm';
import type { Pool } from 'pg';
import type { Config } from '../../config/config.js';
import { ConfigModule } from '../../config/config.module.js';
import { DatabaseMetrics } from '../metrics/database-metrics.js';
import { BackgroundConnections } from './background-connections.js';
import { BuildFacts } from './build-facts.js';
import { dataSourceOptions } from './data-source.js';
import { Notifications } from './notifications.js';
import { ServiceRoleCheck } from './service-role-check.js';
import { UnitOfWork } from './unit-of-work.js';

/** The connection pool and the unit of work, for every module. */
@Global()
@Module({
  imports: [
    TypeOrmModule.forRootAsync({
      inject: [ConfigModule.token, DatabaseMetrics],
      useFactory: (config: Config, metrics: DatabaseMetrics) => ({
        ...dataSourceOptions(config, metrics.observeQuery),
        autoLoadEntities: true,
        // The start has just migrated over this database: if it is gone now, fail at once.
        retryAttempts: 1,
      }),
    }),
  ],
  providers: [UnitOfWork, BackgroundConnections, BuildFacts, Notifications, ServiceRoleCheck],
  exports: [UnitOfWork, BackgroundConnections, BuildFacts, Notifications],
})
export class DatabaseModule implements OnModuleInit {
  constructor(
    @InjectDataSource() private readonly dataSource: DataSource,
    private readonly metrics: DatabaseMetrics,
  ) {}

  onModuleInit(): void {
    this.metrics.watch(poolOf(this.dataSource));
  }
}

/** TypeORM's pool, which its types do not name. */
export const poolOf = (dataSource: DataSource): Pool =>
  (dataSource.driver as unknown as { master: Pool }).master;
