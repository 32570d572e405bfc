import { Global, Module } from '@nestjs/common';
import {
  makeCounterProvider,
  makeGaugeProvider,
  makeHistogramProvider,
  PrometheusModule,
} from '@willsoto/nestjs-prometheus';
import {
  BUILD_INFO,
  DATABASE_UP,
  DURATION_BUCKETS,
  HORIZON_LAG,
  LIMIT_REFUSALS,
  LISTENER_DEAF,
  LOCAL_LIMITS,
  MAILS,
  OVERLOAD_REFUSALS,
  SINK_LAG,
  SINK_SENT,
  TASK_QUEUE,
} from './metric-names.js';
import { DatabaseMetrics, DB_DURATION, DB_POOL } from './database.metrics.js';
import { HTTP_DURATION, HTTP_REQUESTS, HttpMetrics } from './http.metrics.js';
import { MetricsController } from './metrics.controller.js';
import { MetricsRegistry } from './metrics.registry.js';
import { PASSWORD_QUEUE, PasswordMetrics } from './password.metrics.js';
import { StateSampler } from './state.sampler.js';

const HTTP_LABELS = ['method', 'route', 'status'];
const LANE_LABELS = ['lane'];

const providers = [
  makeCounterProvider({ name: HTTP_REQUESTS, help: 'Requests answered', labelNames: HTTP_LABELS }),
  makeHistogramProvider({
    name: HTTP_DURATION,
    help: 'Time from the head of a request to the end of its response',
    labelNames: HTTP_LABELS,
    buckets: DURATION_BUCKETS,
  }),
  makeHistogramProvider({
    name: DB_DURATION,
    help: 'Time from sending a statement, and those that travel with it, to its result',
    labelNames: ['operation'],
    buckets: DURATION_BUCKETS,
  }),
  makeGaugeProvider({ name: DB_POOL.total, help: 'Connections in the pool' }),
  makeGaugeProvider({ name: DB_POOL.idle, help: 'Idle connections' }),
  makeGaugeProvider({ name: DB_POOL.active, help: 'Connections in use' }),
  makeGaugeProvider({ name: DB_POOL.waiting, help: 'Callers that wait for a connection' }),
  makeCounterProvider({
    name: OVERLOAD_REFUSALS,
    help: 'Requests refused because the instance is overloaded',
    labelNames: ['reason'],
  }),
  makeCounterProvider({
    name: LOCAL_LIMITS,
    help: 'Requests whose rate limit this instance decided alone because Redis did not answer in time',
  }),
  makeGaugeProvider({
    name: HORIZON_LAG,
    help: 'Age of the oldest transaction that may still write; events and seals wait for it',
  }),
  makeCounterProvider({ name: SINK_SENT, help: 'Events sent to the Redis stream' }),
  makeGaugeProvider({
    name: SINK_LAG,
    help: 'Age of the oldest event that the Redis stream lacks, in seconds; 0 on instances that do not send',
  }),
  makeGaugeProvider({
    name: PASSWORD_QUEUE.depth,
    help: 'Password hashes waiting for a place in their lane',
    labelNames: LANE_LABELS,
  }),
  makeHistogramProvider({
    name: PASSWORD_QUEUE.wait,
    help: 'Time that a password hash waited for its place',
    labelNames: LANE_LABELS,
    buckets: DURATION_BUCKETS,
  }),
  makeCounterProvider({
    name: PASSWORD_QUEUE.rejected,
    help: 'Password hashes refused because too many waited',
    labelNames: LANE_LABELS,
  }),
  makeCounterProvider({
    name: LIMIT_REFUSALS,
    help: 'Requests refused by a rate limit, by the bucket that was empty',
    labelNames: ['tier'],
  }),
  makeGaugeProvider({
    name: DATABASE_UP,
    help: 'Whether the database answers and accepts writes: 1 or 0, as the readiness probe sees it',
  }),
  makeGaugeProvider({
    name: LISTENER_DEAF,
    help: 'Whether notifications do not arrive, so that every request looks its caller up: 1 or 0',
  }),
  makeCounterProvider({ name: MAILS, help: 'Attempts to send a mail', labelNames: ['outcome'] }),
  makeGaugeProvider({
    name: TASK_QUEUE.tasks,
    help: 'Queued tasks by name and state, up to 100,000; the retries of failed tasks wait',
    labelNames: ['task', 'state'],
  }),
  makeGaugeProvider({ name: TASK_QUEUE.oldest, help: 'Time for which the oldest due task has waited' }),
  makeCounterProvider({
    name: TASK_QUEUE.runs,
    help: 'Tasks that this instance has run',
    labelNames: ['task', 'outcome'],
  }),
  makeGaugeProvider({
    name: BUILD_INFO,
    help: 'The running build and its schema; always 1',
    labelNames: ['version', 'commit', 'schema'],
  }),
  HttpMetrics,
  DatabaseMetrics,
  PasswordMetrics,
  StateSampler,
  MetricsRegistry,
];

/** Global, because the controller belongs to PrometheusModule and injects these providers. */
@Global()
@Module({
  imports: [PrometheusModule.register({ controller: MetricsController, path: '/metrics' })],
  providers,
  exports: providers,
})
export class MetricsModule {}
