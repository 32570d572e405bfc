import { buildInfo } from '../../config/build-info.js';
import type { RunningBuild } from '../database/startup/build-info.service.js';

/** The result of one check in a health report. */
export type CheckResult = Readonly<{ status: 'up' | 'down'; responseTime?: number; reason?: string }>;

/** The state that the health routes report. */
export interface HealthState {
  readonly startup: CheckResult;
  readonly serving: CheckResult;
  readonly database: CheckResult;
  readonly build: RunningBuild;
}

type CheckName = Exclude<keyof HealthState, 'build'>;

/** The report of one health route, in the format of @nestjs/terminus. */
export interface HealthReport {
  readonly status: 'ok' | 'error';
  readonly info: Readonly<Record<string, CheckResult>>;
  readonly error: Readonly<Record<string, CheckResult>>;
  readonly details: Readonly<Record<string, CheckResult>>;
}

/** The report for people, which also names the build and the schema. */
export type FullHealthReport = HealthReport & RunningBuild;

/** The checks of each route. Liveness has none, because it depends only on the process. */
const CHECKS = {
  '/health': ['startup', 'serving', 'database'],
  '/health/live': [],
  '/health/ready': ['serving', 'database'],
  '/health/startup': ['startup'],
} as const satisfies Record<string, readonly CheckName[]>;

export type HealthPath = keyof typeof CHECKS;

export const isHealthPath = (path: string): path is HealthPath => Object.hasOwn(CHECKS, path);

export const upIf = (healthy: boolean): CheckResult => ({ status: healthy ? 'up' : 'down' });

/** The state before anything but the build is known about the service. */
export const NOT_STARTED: HealthState = {
  startup: upIf(false),
  serving: upIf(true),
  database: upIf(false),
  build: { ...buildInfo, schema: 'unknown' },
};

/** Returns the report of a route. The route answers 503 when its status is `error`. */
export function healthReport(path: '/health', state: HealthState): FullHealthReport;
export function healthReport(path: HealthPath, state: HealthState): HealthReport;
export function healthReport(path: HealthPath, state: HealthState): HealthReport {
  const results = CHECKS[path].map((name) => [name, state[name]] as const);
  const withStatus = (status: CheckResult['status']) =>
    Object.fromEntries(results.filter(([, result]) => result.status === status));
  const [info, error] = [withStatus('up'), withStatus('down')];
  return {
    status: Object.keys(error).length === 0 ? 'ok' : 'error',
    info,
    error,
    details: { ...info, ...error },
    ...(path === '/health' && state.build),
  };
}
