import { globSync } from 'node:fs';
import { fileURLToPath, pathToFileURL } from 'node:url';
import { RequestMethod, type Type } from '@nestjs/common';
import { Counter, Gauge, type Metric } from 'prom-client';
import { AppModule } from '../../src/app.module.js';
import type { Permission } from '../../src/common/authorization/permissions.js';
import { type Policy, POLICY_METADATA } from '../../src/common/authorization/policy.decorator.js';
import { errorCodes, type ErrorRow } from '../../src/common/errors/error-codes.js';
import { readConfig } from '../../src/config/config.js';
import { type Variable, variables } from '../../src/config/config.schema.js';
import { auditActions } from '../../src/modules/audit-actions.js';
import { permissions } from '../../src/modules/permissions.js';
import type { AuditAction } from '../../src/platform/audit-log/audit.types.js';
import { declaredIn } from './module-graph.js';

export interface RouteFacts {
  readonly method: string;
  /** The path as the OpenAPI document spells it. */
  readonly path: string;
  readonly policy: Policy | undefined;
}

export interface EventFacts {
  readonly type: string;
  /** The listeners in the form `Class.method`. */
  readonly listeners: readonly string[];
}

export interface MetricFacts {
  readonly name: string;
  readonly type: string;
  readonly labels: readonly string[];
  readonly help: string;
}

/** The facts of the code that the tables under `docs/reference` show. */
export interface ReferenceSources {
  readonly variables: Readonly<Record<string, Variable>>;
  readonly errorCodes: Readonly<Record<string, ErrorRow>>;
  readonly permissions: readonly Permission[];
  readonly routes: readonly RouteFacts[];
  readonly events: readonly EventFacts[];
  readonly auditActions: readonly AuditAction[];
  readonly metrics: readonly MetricFacts[];
}

const ROOT = fileURLToPath(new URL('../../', import.meta.url));
/** The key under which @nestjs/event-emitter stores the events that a method listens to. */
const LISTENS_TO = 'EVENT_LISTENER_METADATA';
const METRIC_TOKEN = /^PROM_METRIC_/;

/** Reads the facts from the application's modules, without starting it. */
export async function readReferenceSources(): Promise<ReferenceSources> {
  const app = AppModule.with(readConfig({ NODE_ENV: 'test' }));
  const controllers = [...(await declaredIn(app, 'controllers'))] as Type[];
  const providers = [...(await declaredIn(app, 'providers'))];
  return {
    variables,
    errorCodes,
    permissions,
    routes: controllers.flatMap(routesOf).toSorted(byPath),
    events: await eventsOf(providers.filter((provider) => typeof provider === 'function') as Type[]),
    auditActions,
    metrics: providers.flatMap(metricOf).toSorted((a, b) => a.name.localeCompare(b.name, 'en')),
  };
}

const byPath = (a: RouteFacts, b: RouteFacts) =>
  a.path.localeCompare(b.path, 'en') || a.method.localeCompare(b.method, 'en');

function routesOf(controller: Type): RouteFacts[] {
  const prefix = String(Reflect.getMetadata('path', controller) ?? '');
  return handlersOf(controller).flatMap(({ handler }) => {
    const method: unknown = Reflect.getMetadata('method', handler);
    if (typeof method !== 'number') return [];
    const path = [prefix, String(Reflect.getMetadata('path', handler))].join('/');
    const policy = (Reflect.getMetadata(POLICY_METADATA, handler) ??
      Reflect.getMetadata(POLICY_METADATA, controller)) as Policy | undefined;
    return [{ method: RequestMethod[method] ?? '', path: spelled(path), policy }];
  });
}

/** Converts Nest's `api/users` and `/:id` into `/api/users/{id}`. */
const spelled = (path: string): string =>
  `/${path.split('/').filter(Boolean).join('/')}`.replaceAll(/:(\w+)/g, '{$1}');

async function eventsOf(providers: readonly Type[]): Promise<EventFacts[]> {
  const listeners = new Map<string, string[]>();
  for (const provider of providers) {
    for (const { name, handler } of handlersOf(provider)) {
      const listened = (Reflect.getMetadata(LISTENS_TO, handler) ?? []) as readonly { event: string }[];
      for (const { event } of listened) {
        listeners.set(event, [...(listeners.get(event) ?? []), `${provider.name}.${name}`]);
      }
    }
  }
  const types = new Set([...(await declaredEventTypes()), ...listeners.keys()]);
  return [...types].map((type) => ({ type, listeners: (listeners.get(type) ?? []).toSorted() }));
}

/** Returns every event type that a module declares in an exported constant such as `userEventTypes`. */
async function declaredEventTypes(): Promise<string[]> {
  const files = globSync('src/modules/*/events/*.ts', { cwd: ROOT }).toSorted();
  const types: string[] = [];
  for (const file of files.filter((path) => !path.endsWith('.spec.ts'))) {
    const exported = (await import(pathToFileURL(`${ROOT}${file}`).href)) as Record<string, unknown>;
    for (const [name, value] of Object.entries(exported)) {
      if (name.endsWith('EventTypes')) types.push(...Object.values(value as Record<string, string>));
    }
  }
  return types;
}

function handlersOf(owner: Type): { readonly name: string; readonly handler: object }[] {
  const prototype = owner.prototype as Record<string, unknown>;
  return Object.getOwnPropertyNames(prototype).flatMap((name) => {
    const handler = Object.getOwnPropertyDescriptor(prototype, name)?.value as unknown;
    return typeof handler === 'function' ? [{ name, handler }] : [];
  });
}

interface MetricProvider {
  readonly provide: string;
  readonly useFactory: () => Metric;
}

/** Fields of a metric that prom-client's types omit. */
interface Described {
  readonly name: string;
  readonly help: string;
  readonly labelNames: readonly string[];
}

function metricOf(provider: unknown): MetricFacts[] {
  const { provide } = provider as Partial<MetricProvider>;
  if (typeof provide !== 'string' || !METRIC_TOKEN.test(provide)) return [];
  // An existing metric is found, so that this may run beside an application.
  const metric = (provider as MetricProvider).useFactory();
  const { name, help, labelNames } = metric as unknown as Described;
  return [{ name, type: typeOf(metric), labels: labelNames, help }];
}

function typeOf(metric: Metric): string {
  if (metric instanceof Counter) return 'counter';
  return metric instanceof Gauge ? 'gauge' : 'histogram';
}
