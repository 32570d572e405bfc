import { randomBytes } from 'node:crypto';
import { existsSync, globSync, readFileSync } from 'node:fs';
import { basename } from 'node:path';
import { beforeAll, describe, expect, it } from '@jest/globals';
import type { INetworkPolicy } from 'kubernetes-models/networking.k8s.io/v1/NetworkPolicy';
import type { IPodDisruptionBudget } from 'kubernetes-models/policy/v1/PodDisruptionBudget';
import type { IPodTemplateSpec } from 'kubernetes-models/v1/PodTemplateSpec';
import type { IService } from 'kubernetes-models/v1/Service';
import { parse } from 'yaml';
import { readConfig } from '../../src/config/config.js';
import { type Variable, variables } from '../../src/config/config.schema.js';
import { isHealthPath } from '../../src/platform/health/health-report.js';
import { CHART_SCHEMA, READ_BY_COMMANDS, withVariables } from '../support/deploy/chart-variables.js';
import { findWhyToolsAreMissing, helm, kubectl } from '../support/deploy/kubernetes-tools.js';
import { deploymentOf, faultsOf, type Manifest, podsOf, readManifests } from '../support/deploy/manifests.js';
import { wherePossible } from '../support/app/where-possible.js';

/** Several programs of a second each, and a compilation, on a busy machine. */
const SLOW_MS = 120_000;
/** The time by which a forced stop may exceed SHUTDOWN_DEADLINE_MS (shutdown.ts), and a margin. */
const AFTER_DEADLINE_MS = 6000;
/** The longest wait of a start for the migrations of another instance (migration-lock.ts). */
const MIGRATION_LOCK_MS = 120_000;

const CHART = 'deploy/helm/gatehouse';
const BASE = 'deploy/kubernetes/base';
const OVERLAYS = globSync('deploy/kubernetes/overlays/*').toSorted();
const VALUES = globSync(`${CHART}/ci/*-values.yaml`).toSorted();

const table: Readonly<Record<string, Variable>> = variables;
const secrets = Object.keys(table).filter((name) => table[name]?.secret && !READ_BY_COMMANDS.includes(name));
const dockerfile = readFileSync('Dockerfile', 'utf8');
const imageOf = (keyword: string): string =>
  new RegExp(`^${keyword} (.+)$`, 'm').exec(dockerfile.slice(dockerfile.lastIndexOf('\nFROM')))?.[1] ?? '';
const { version } = JSON.parse(readFileSync('package.json', 'utf8')) as { version: string };

const render = (values: string, ...more: string[]): Manifest[] =>
  readManifests(helm('template', 'release', CHART, '--namespace', 'accounts', '--values', values, ...more));

const containerOf = (pod: IPodTemplateSpec) => {
  const [container, ...more] = pod.spec?.containers ?? [];
  if (container === undefined || more.length > 0) throw new Error('there must be one container');
  return container;
};

/** Returns the environment of a container, with the ConfigMap that it names. A secret's value is its name. */
function environmentOf(manifests: readonly Manifest[], pod: IPodTemplateSpec): Record<string, string> {
  const container = containerOf(pod);
  const maps = (container.envFrom ?? []).map(({ configMapRef }) => {
    const map = manifests.find(
      ({ kind, metadata }) => kind === 'ConfigMap' && metadata.name === configMapRef?.name,
    );
    return (map as (Manifest & { data: Record<string, string> }) | undefined)?.data;
  });
  const own = (container.env ?? []).map(({ name, value, valueFrom }) => {
    const { fieldRef, secretKeyRef } = valueFrom ?? {};
    return [name, value ?? fieldRef?.fieldPath ?? `${secretKeyRef?.name}/${secretKeyRef?.key}`];
  });
  return Object.assign({}, ...maps, Object.fromEntries(own)) as Record<string, string>;
}

const namesOfSecrets = (pod: IPodTemplateSpec): string[] =>
  (containerOf(pod).env ?? []).filter(({ valueFrom }) => valueFrom?.secretKeyRef).map(({ name }) => name);

const ofKind = <T>(manifests: readonly Manifest[], kind: string): (Manifest & T)[] =>
  manifests.filter((each): each is Manifest & T => each.kind === kind);

const matches = (labels: object | undefined, selector: object | undefined): boolean =>
  selector !== undefined &&
  Object.entries(selector).every((entry) =>
    Object.entries(labels ?? {}).some(([name, value]) => name === entry[0] && value === entry[1]),
  );

wherePossible(findWhyToolsAreMissing(), 'the manifests of Kubernetes', () => {
  const sources: [string, () => Manifest[]][] = [
    ...VALUES.map((path): [string, () => Manifest[]] => [
      `the chart with ${basename(path)}`,
      () => render(path),
    ]),
    ...[BASE, ...OVERLAYS].map((path): [string, () => Manifest[]] => [
      path,
      () => readManifests(kubectl('kustomize', path)),
    ]),
  ];

  it('are rendered for four files of values, the base and an overlay', () => {
    expect([VALUES.length, OVERLAYS.length]).toEqual([4, 1]);
  });

  describe.each(sources)('of %s', (_, read) => {
    let manifests: Manifest[];
    let pods: { service: IPodTemplateSpec; migration: IPodTemplateSpec | undefined };
    let all: IPodTemplateSpec[];
    beforeAll(() => {
      manifests = read();
      pods = podsOf(manifests);
      all = [pods.service, ...(pods.migration ? [pods.migration] : [])];
    }, SLOW_MS);

    it(
      'have the types of Kubernetes and no unknown keys',
      async () => {
        expect(await faultsOf(manifests)).toEqual([]);
      },
      SLOW_MS,
    );

    it('hold no secret, no database, and no image but ours', () => {
      const kinds = manifests.map(({ kind }) => kind);
      expect(kinds.filter((kind) => ['Secret', 'StatefulSet', 'Pod'].includes(kind))).toEqual([]);
      const text = JSON.stringify(manifests);
      expect(text).not.toMatch(/:\/\/[^\s/"@]*@/);
      for (const pod of all) {
        const written = containerOf(pod).env?.filter(
          ({ name, value }) => value !== undefined && table[name]?.secret,
        );
        expect(written).toEqual([]);
        expect(containerOf(pod).image).toMatch(/(^|\/)gatehouse(@sha256:[\da-f]{64}|:[\w.]+)?$/);
        expect(pod.spec?.initContainers).toBeUndefined();
      }
    });

    it('give the service every secret by reference, and set only known variables', () => {
      expect(namesOfSecrets(pods.service).toSorted()).toEqual(secrets.toSorted());
      const names = all.flatMap((pod) => Object.keys(environmentOf(manifests, pod)));
      const unknown = names.filter(
        (name) => !(name in table) && name !== 'POD_NAME' && !name.startsWith('OTEL_'),
      );
      expect(unknown).toEqual([]);
    });

    it('configure the service and the migration so that they accept it in production', () => {
      const made = {
        MASTER_KEY: randomBytes(32).toString('base64'),
        METRICS_TOKEN: randomBytes(16).toString('hex'),
        ADMIN_PASSWORD: randomBytes(16).toString('hex'),
        DATABASE_URL: 'postgres://db.internal/gatehouse',
        MIGRATION_DATABASE_URL: 'postgres://db.internal/gatehouse',
        LISTEN_DATABASE_URL: 'postgres://db.internal/gatehouse',
        REDIS_URL: 'redis://redis.internal',
        SMTP_URL: 'smtp://mail.internal',
        OTEL_EXPORTER_OTLP_HEADERS: 'authorization=secret',
      };
      const ofImage = { NODE_ENV: 'production', HOST: '0.0.0.0', DATA_DIR: '/data' };
      for (const pod of all) {
        const given = Object.entries(environmentOf(manifests, pod)).map(([name, value]) => [
          name,
          (made as Record<string, string>)[name] ?? value,
        ]);
        expect(() => readConfig({ ...ofImage, ...(Object.fromEntries(given) as object) })).not.toThrow();
      }
    });

    it('probe the routes of the health port', () => {
      const container = containerOf(pods.service);
      const { startupProbe, livenessProbe, readinessProbe, ports } = container;
      const paths = [startupProbe, livenessProbe, readinessProbe].map((probe) => probe?.httpGet?.path ?? '');
      expect(paths).toEqual(['/health/startup', '/health/live', '/health/ready']);
      expect(paths.filter((path) => !isHealthPath(path))).toEqual([]);
      for (const probe of [startupProbe, livenessProbe, readinessProbe]) {
        expect(probe?.httpGet?.port).toBe('health');
      }
      expect(
        Object.fromEntries((ports ?? []).map(({ name, containerPort }) => [name, containerPort])),
      ).toEqual({
        http: Number(imageOf('EXPOSE')),
        health: Number(environmentOf(manifests, pods.service)['HEALTH_PORT']),
      });
      const startMs = Number(startupProbe?.failureThreshold) * Number(startupProbe?.periodSeconds) * 1000;
      const waitMs = Number(variables.DB_START_TIMEOUT_SECONDS.default) * 1000 + MIGRATION_LOCK_MS;
      expect(startMs).toBeGreaterThan(waitMs);
    });

    it('leave a pod more time to stop than the service takes, and replace none before another is ready', () => {
      const environment = environmentOf(manifests, pods.service);
      const deadlineMs = Number(
        environment['SHUTDOWN_DEADLINE_MS'] ?? variables.SHUTDOWN_DEADLINE_MS.default,
      );
      const graceMs = Number(pods.service.spec?.terminationGracePeriodSeconds) * 1000;
      expect(graceMs).toBeGreaterThanOrEqual(deadlineMs + AFTER_DEADLINE_MS);
      const { strategy } = deploymentOf(manifests).spec!;
      expect(strategy?.rollingUpdate).toEqual({ maxSurge: 1, maxUnavailable: 0 });
    });

    it('meet the restricted pod security standard, as the user of the image', () => {
      const [user, group] = imageOf('USER').split(':').map(Number);
      for (const pod of all) {
        expect(pod.spec?.securityContext).toMatchObject({
          runAsNonRoot: true,
          runAsUser: user,
          runAsGroup: group,
          seccompProfile: { type: 'RuntimeDefault' },
        });
        expect(containerOf(pod).securityContext).toEqual({
          allowPrivilegeEscalation: false,
          readOnlyRootFilesystem: true,
          capabilities: { drop: ['ALL'] },
        });
        expect(pod.spec).toMatchObject({ automountServiceAccountToken: false, enableServiceLinks: false });
        const { hostNetwork, hostPID, hostIPC, volumes } = pod.spec!;
        expect([hostNetwork, hostPID, hostIPC]).toEqual([undefined, undefined, undefined]);
        expect(volumes?.filter(({ hostPath }) => hostPath)).toEqual([]);
      }
    });

    it('let the service write to /tmp and its data folder, and keep the pods apart on a shared volume', () => {
      const { volumeMounts } = containerOf(pods.service);
      const dataDir = /DATA_DIR=(\S+)/.exec(dockerfile)?.[1];
      const writable = (volumeMounts ?? []).filter(({ readOnly }) => !readOnly);
      expect(writable.map(({ mountPath }) => mountPath).toSorted()).toEqual([dataDir, '/tmp']);
      const volumes = new Map(pods.service.spec?.volumes?.map((volume) => [volume.name, volume]));
      for (const { name, subPathExpr } of writable) {
        const { emptyDir, persistentVolumeClaim } = volumes.get(name) ?? {};
        expect([emptyDir, persistentVolumeClaim].filter(Boolean)).toHaveLength(1);
        expect(subPathExpr).toBe(persistentVolumeClaim ? '$(POD_NAME)' : undefined);
      }
      for (const { spec } of ofKind<{ spec: { accessModes: string[] } }>(
        manifests,
        'PersistentVolumeClaim',
      )) {
        expect(spec.accessModes).toEqual(['ReadWriteMany']);
      }
    });

    it('select the pods of the service, and only them', () => {
      const labels = pods.service.metadata?.labels;
      const deployment = deploymentOf(manifests);
      const budgets = ofKind<IPodDisruptionBudget>(manifests, 'PodDisruptionBudget');
      const services = ofKind<IService>(manifests, 'Service');
      const selectors = [
        deployment.spec?.selector.matchLabels,
        ...budgets.map(({ spec }) => spec?.selector?.matchLabels),
        ...services.map(({ spec }) => spec?.selector),
        ...(pods.service.spec?.topologySpreadConstraints ?? []).map(
          ({ labelSelector }) => labelSelector?.matchLabels,
        ),
      ];
      expect(selectors.filter((selector) => !matches(labels, selector))).toEqual([]);
      const ofMigration = pods.migration?.metadata?.labels;
      expect(selectors.filter((selector) => matches(ofMigration, selector))).toEqual([]);
      for (const { spec } of ofKind<{ spec: { scaleTargetRef: { name: string } } }>(
        manifests,
        'HorizontalPodAutoscaler',
      )) {
        expect(spec.scaleTargetRef.name).toBe(deployment.metadata?.name);
        expect(deployment.spec?.replicas).toBeUndefined();
      }
      for (const { spec } of ofKind<{ spec: { selector: { matchLabels: object } } }>(
        manifests,
        'ServiceMonitor',
      )) {
        expect(
          services.filter(({ metadata }) =>
            matches((metadata as { labels?: object }).labels, spec.selector.matchLabels),
          ),
        ).toHaveLength(1);
      }
      for (const { spec } of services) {
        const ports = containerOf(pods.service).ports?.map(({ name }) => name);
        expect(ports).toEqual(expect.arrayContaining(spec?.ports?.map(({ targetPort }) => targetPort) ?? []));
      }
    });

    it('let the service reach name servers, the database and public addresses, and nothing call it but two namespaces', () => {
      const policies = ofKind<INetworkPolicy>(manifests, 'NetworkPolicy');
      for (const pod of policies.length > 0 ? all : []) {
        const rules = policies.filter(({ spec }) =>
          matches(pod.metadata?.labels, spec?.podSelector?.matchLabels),
        );
        expect(rules).toHaveLength(1);
        const { egress, ingress, policyTypes } = rules[0]!.spec!;
        expect(policyTypes?.toSorted()).toEqual(['Egress', 'Ingress']);
        const ports = egress?.flatMap((rule) => rule.ports?.map(({ port }) => port) ?? []);
        expect(ports).toEqual(expect.arrayContaining([53, 5432, 443]));
        const open = egress?.filter((rule) => rule.ports?.some(({ port }) => port === 443));
        expect(JSON.stringify(open)).toContain('"except":["10.0.0.0/8"');
        // A rule without peers would let everybody in.
        expect(ingress?.filter(({ from }) => (from ?? []).length === 0) ?? []).toEqual([]);
      }
    });

    it('migrate with the command of `npm run migrate`', () => {
      if (pods.migration === undefined) return;
      const { scripts } = JSON.parse(readFileSync('package.json', 'utf8')) as {
        scripts: Record<string, string>;
      };
      const command = containerOf(pods.migration).command ?? [];
      expect(scripts['migrate']).toContain(command.join(' '));
      expect(existsSync(command.at(-1)!.replace(/^dist\/(.*)\.js$/, '$1.ts'))).toBe(true);
      expect(namesOfSecrets(pods.migration)).toContain('MIGRATION_DATABASE_URL');
      expect(pods.migration.spec?.restartPolicy).toBe('Never');
    });
  });

  describe('of the chart', () => {
    it.each(VALUES)('pass the strict linter with %s', (path) => {
      expect(helm('lint', '--strict', CHART, '--values', path)).toContain('0 chart(s) failed');
    });

    it.each([
      ['replicaCoutn=3', 'replicaCoutn'],
      ['replicaCount=many', 'replicaCount'],
      ['image.repository=', 'repository'],
      ['secrets.existingSecret=', 'existingSecret'],
      ['config.PUBLIC_URL=', 'PUBLIC_URL'],
      ['config.PUBLIC_URl=https://example.com', 'PUBLIC_URl'],
      ['config.DB_POOL_MAX=many', 'DB_POOL_MAX'],
      ['config.DOCS=yes', 'DOCS'],
      ['config.MASTER_KEY=secret', 'MASTER_KEY'],
      ['config.HEALTH_PORT=3002', 'HEALTH_PORT'],
      ['secrets.references.PORT.name=x', 'PORT'],
      ['ingress.enabled=true', 'host'],
      ['networkPolicy.egress.postgres.port=5432', 'port'],
      ['podDisruptionBudget.maxUnavailable=0', 'maxUnavailable'],
    ])('refuse --set %s', (value, name) => {
      expect(() =>
        render(
          VALUES.find((path) => path.includes('minimal'))!,
          '--set',
          value,
        ),
      ).toThrow(new RegExp(`values don't meet the specifications[^]*${name}`));
    });

    it('print large numbers in full, and fractions as they are', () => {
      const pods = podsOf(
        render(
          VALUES.find((path) => path.includes('production'))!,
          '--set',
          'config.OTEL_TRACES_SAMPLER_ARG=0.01',
        ),
      );
      const environment = environmentOf([], pods.service);
      expect(environment['BODY_LIMIT_BYTES']).toBe('20971520');
      expect(environment['OTEL_TRACES_SAMPLER_ARG']).toBe('0.01');
    });
  });

  it(
    'are seen to be wrong after a misspelt key, a wrong type and a missing field',
    async () => {
      const text = kubectl('kustomize', BASE);
      const change = async (from: string, to: string) => {
        expect(text).toContain(from);
        return faultsOf(readManifests(text.replace(from, to)));
      };
      expect(await change('readinessProbe:', 'readynessProbe:')).toEqual([
        expect.stringContaining('readynessProbe'),
      ]);
      expect(await change('containerPort: 3000', 'containerPort: web')).not.toEqual([]);
      expect(await change('averageUtilization: 60', 'averageUtilisation: 60')).toEqual([
        expect.stringContaining('averageUtilisation'),
      ]);
      expect(await change('name: gatehouse-migration', 'title: gatehouse-migration')).not.toEqual([]);
    },
    SLOW_MS,
  );
});

describe('the chart', () => {
  it('allows the variables of the service (fix: `npm run docs:tables`)', () => {
    const schema = readFileSync(CHART_SCHEMA, 'utf8');
    expect(schema).toBe(withVariables(schema, variables));
    expect(withVariables(schema, { ...variables, ONE_MORE: variables.MAIL_DIR })).not.toBe(schema);
  });

  it('and the overlay deploy the version of package.json', () => {
    expect(parse(readFileSync(`${CHART}/Chart.yaml`, 'utf8'))).toMatchObject({ appVersion: version });
    for (const path of OVERLAYS) {
      const { images } = parse(readFileSync(`${path}/kustomization.yaml`, 'utf8')) as { images: object[] };
      expect(images).toEqual([expect.objectContaining({ name: 'gatehouse', newTag: version })]);
    }
  });
});
