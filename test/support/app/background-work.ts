import type { OnModuleDestroy } from '@nestjs/common';
import { SealWriter } from '../../../src/modules/audit/sealing/seal.writer.js';
import { PasswordFormatSampler } from '../../../src/modules/auth/sign-in/password-format.sampler.js';
import { SignInAttemptsService } from '../../../src/modules/auth/sign-in/sign-in-attempts.service.js';
import { SigningKeysService } from '../../../src/modules/auth/signing-keys/signing-keys.service.js';
import { JobWorker } from '../../../src/modules/jobs/processing/job.worker.js';
import { InstancePresence } from '../../../src/modules/operations/instance-presence.service.js';
import { LastLoginBuffer } from '../../../src/modules/users/last-login.buffer.js';
import { WebhookDeliverer } from '../../../src/modules/webhooks/sending/webhook.deliverer.js';
import { WebhookMetrics } from '../../../src/modules/webhooks/sending/webhook.metrics.js';
import { HorizonMonitor } from '../../../src/platform/event-store/horizon.monitor.js';
import { StateSampler } from '../../../src/platform/metrics/state.sampler.js';
import { TaskWorker } from '../../../src/platform/queue/task.worker.js';
import type { TestApp } from './test-app.js';

const WORKERS = [
  SealWriter,
  HorizonMonitor,
  InstancePresence,
  JobWorker,
  LastLoginBuffer,
  PasswordFormatSampler,
  SignInAttemptsService,
  SigningKeysService,
  StateSampler,
  TaskWorker,
  WebhookDeliverer,
  WebhookMetrics,
];

/**
 * Stops all background work of an app, for tests that count its statements or connections. `kept` continues, for
 * tests that need it.
 */
export async function stopBackgroundWork({ nest }: TestApp, kept?: (typeof WORKERS)[number]): Promise<void> {
  const stopped = WORKERS.filter((worker) => worker !== kept);
  await Promise.all(stopped.map((worker) => nest.get<OnModuleDestroy>(worker).onModuleDestroy()));
}
