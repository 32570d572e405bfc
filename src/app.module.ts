import { type DynamicModule, Module } from '@nestjs/common';
import { CqrsModule } from '@nestjs/cqrs';
import { APP_FILTER, APP_GUARD, APP_PIPE, DiscoveryModule } from '@nestjs/core';
import { createValidationPipe } from './common/validation/validation.pipe.js';
import type { Config } from './config/config.js';
import { ConfigModule } from './config/config.module.js';
import { AuditModule } from './modules/audit/audit.module.js';
import { GateGuard } from './modules/auth/gate.guard.js';
import { AuthModule } from './modules/auth/auth.module.js';
import { ExportModule } from './modules/export/export.module.js';
import { EventsModule } from './modules/events/events.module.js';
import { JobsModule } from './modules/jobs/jobs.module.js';
import { LiveEventsModule } from './modules/live-events/live-events.module.js';
import { featureFlags } from './modules/feature-flags.js';
import { FlagsModule } from './modules/flags/flags.module.js';
import { OperationsModule } from './modules/operations/operations.module.js';
import { ResourcesModule } from './modules/resources/resources.module.js';
import { PersonalDataModule } from './modules/personal-data/personal-data.module.js';
import { RolesModule } from './modules/roles/roles.module.js';
import { UserBatchesModule } from './modules/user-batches/user-batches.module.js';
import { UserImportsModule } from './modules/user-imports/user-imports.module.js';
import { UsersModule } from './modules/users/users.module.js';
import { WebhooksModule } from './modules/webhooks/webhooks.module.js';
import { AuditPartitionsModule, AuditLogModule } from './platform/audit-log/audit-log.module.js';
import { CryptoModule } from './platform/crypto/crypto.module.js';
import { DatabaseModule } from './platform/database/database.module.js';
import { EventSinkModule } from './platform/event-sink/event-sink.module.js';
import { EventStoreModule } from './platform/event-store/event-store.module.js';
import { DomainEventsModule } from './platform/domain-events/domain-events.module.js';
import { FeatureFlagsModule } from './platform/feature-flags/feature-flags.module.js';
import { HealthModule } from './platform/health/health.module.js';
import { IndexModule } from './platform/index/index.module.js';
import { DeclaredRoutesService } from './platform/http/declared-routes.service.js';
import { BodyReader } from './platform/http/body/body.reader.js';
import { ErrorFilter } from './platform/http/answers/error.filter.js';
import { EdgeMiddleware } from './platform/http/edge/edge.middleware.js';
import { OverloadMiddleware } from './platform/http/overload/overload.middleware.js';
import { IdempotencyModule } from './platform/idempotency/idempotency.module.js';
import { QueueModule } from './platform/queue/queue.module.js';
import { MailModule } from './platform/mail/mail.module.js';
import { LifecycleModule } from './platform/lifecycle/lifecycle.module.js';
import { LoggingModule } from './platform/logging/logging.module.js';
import { RateLimitModule } from './platform/rate-limit/rate-limit.module.js';
import { MetricsModule } from './platform/metrics/metrics.module.js';
import { TelemetryModule } from './platform/telemetry/telemetry.module.js';

const platform = [
  LoggingModule,
  DomainEventsModule,
  LifecycleModule,
  MetricsModule,
  TelemetryModule,
  CryptoModule,
  DatabaseModule,
  FeatureFlagsModule.with(featureFlags),
  HealthModule,
  IndexModule,
  RateLimitModule,
  QueueModule,
  IdempotencyModule,
  MailModule,
  EventStoreModule,
  EventSinkModule,
  AuditLogModule,
  AuditPartitionsModule,
];
const features = [
  RolesModule,
  UsersModule,
  AuthModule,
  EventsModule,
  LiveEventsModule,
  AuditModule,
  ResourcesModule,
  PersonalDataModule,
  JobsModule,
  UserBatchesModule,
  UserImportsModule,
  ExportModule,
  FlagsModule,
  WebhooksModule,
  OperationsModule,
];

/**
 * Lists all modules, and what every request passes: the edge, the gate, the pipe, and the filter if it fails.
 */
@Module({})
export class AppModule {
  static with(config: Config): DynamicModule {
    return {
      module: AppModule,
      imports: [ConfigModule.with(config), CqrsModule.forRoot(), DiscoveryModule, ...platform, ...features],
      providers: [
        DeclaredRoutesService,
        EdgeMiddleware,
        OverloadMiddleware,
        BodyReader,
        { provide: APP_GUARD, useClass: GateGuard },
        { provide: APP_PIPE, useFactory: createValidationPipe },
        { provide: APP_FILTER, useClass: ErrorFilter },
      ],
    };
  }
}
