import { execFile } from 'node:child_process';
import { cpSync, globSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { basename, dirname, join, relative } from 'node:path';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { beforeAll, describe, expect, it } from '@jest/globals';
import { Get, type Type } from '@nestjs/common';
import { AppModule } from '../../src/app.module.js';
import { type Policy, POLICY_METADATA } from '../../src/common/authorization/policy.decorator.js';
import { readConfig } from '../../src/config/config.js';
import { declaredIn } from '../support/module-graph.js';

const ROOT = fileURLToPath(new URL('../../', import.meta.url));
const CRUISER = join(ROOT, 'node_modules/dependency-cruiser/bin/dependency-cruiser.mjs');

interface Violation {
  readonly rule: { readonly name: string };
  readonly from: string;
  readonly to: string;
}

/** Returns the violations in the `src` of a folder under this repository's import rules. */
async function violations(folder: string): Promise<Violation[]> {
  const args = [CRUISER, 'src', '--config', join(ROOT, '.dependency-cruiser.json'), '--output-type', 'json'];
  const { stdout } = await promisify(execFile)(process.execPath, args, {
    cwd: folder,
    maxBuffer: 64 * 1024 * 1024,
  });
  const { summary } = JSON.parse(stdout) as { summary: { violations: Violation[]; totalCruised: number } };
  expect(summary.totalCruised).toBeGreaterThan(0);
  return summary.violations;
}

/** For each rule, a file that breaks it and the forbidden import. */
const BROKEN: readonly (readonly [rule: string, from: string, to: string])[] = [
  ['common-is-a-leaf', 'src/common/a.ts', 'src/config/b.ts'],
  ['config-knows-only-common', 'src/config/a.ts', 'src/platform/mail/b.ts'],
  ['platform-knows-no-feature', 'src/platform/mail/a.ts', 'src/modules/users/users.service.ts'],
  ['modules-do-not-know-the-app', 'src/modules/users/a.ts', 'src/app.ts'],
  ['users-and-roles-do-not-know-auth', 'src/modules/roles/a.ts', 'src/modules/auth/auth.service.ts'],
  [
    'only-services-commands-events-and-dtos-leave-a-module',
    'src/modules/export/a.ts',
    'src/modules/users/b.ts',
  ],
  ['listeners-see-only-events', 'src/modules/webhooks/a.ts', 'src/modules/users/users.service.ts'],
  ['audit-sees-only-users-and-events', 'src/modules/audit/a.ts', 'src/modules/roles/roles.service.ts'],
  ['the-client-knows-only-the-contract', 'src/cli/a.ts', 'src/common/b.ts'],
  ['no-cycles', 'src/common/c.ts', 'src/common/d.ts'],
];
/** Closes the cycle, which is reported once. */
const WAY_BACK = ['src/common/d.ts', 'src/common/c.ts'] as const;
const ALLOWED = [
  'users.service.ts',
  'users.module.ts',
  'events/created.event.ts',
  'dto/user.response.ts',
].map((file) => ['src/modules/export/good.ts', `src/modules/users/${file}`] as const);

describe('the import rules', () => {
  let found: Violation[];
  beforeAll(async () => {
    const imports = new Map<string, string[]>();
    for (const [from, to] of [...BROKEN.map(([, ...pair]) => pair), WAY_BACK, ...ALLOWED]) {
      imports.set(from, [...(imports.get(from) ?? []), to]);
      imports.set(to, imports.get(to) ?? []);
    }
    found = await inFolder(imports);
  });

  it('hold in src', async () => {
    expect(await violations(ROOT)).toEqual([]);
  });

  it.each(BROKEN)('%s: %s may not import %s', (name, from, to) => {
    const [violation] = found.filter((each) => each.rule.name === name && each.from === from);
    expect(violation).toMatchObject({ rule: { name }, from, to });
  });

  it('allow a module to use the service, events, requests and responses of another', () => {
    expect(found.filter(({ from }) => from === 'src/modules/export/good.ts')).toEqual([]);
  });
});

/** Checks files that contain only these imports, in a temporary folder. */
async function inFolder(files: ReadonlyMap<string, readonly string[]>): Promise<Violation[]> {
  const folder = mkdtempSync(join(tmpdir(), 'gatehouse-rules-'));
  try {
    cpSync(join(ROOT, 'tsconfig.json'), join(folder, 'tsconfig.json'));
    for (const [path, imports] of files) {
      mkdirSync(join(folder, dirname(path)), { recursive: true });
      const lines = imports.map(
        (to) => `import '${relative(dirname(path), to).replace(/^(?!\.)/, './')}';\n`,
      );
      writeFileSync(join(folder, path), lines.join('').replaceAll(".ts'", ".js'"));
    }
    return await violations(folder);
  } finally {
    rmSync(folder, { recursive: true });
  }
}

const SELF = basename(import.meta.filename);

interface TextRule {
  readonly says: string;
  readonly folder: 'src' | 'test' | '{src,test,migrations}';
  readonly allowed?: RegExp;
  /** True if comments count too. */
  readonly comments?: true;
  readonly refused: RegExp;
  readonly examples: readonly string[];
}

const textRules: readonly TextRule[] = [
  {
    says: 'read the environment only in src/config and in the command-line client, which is not part of the service',
    folder: 'src',
    allowed: /^src\/(?:config|cli)\//,
    refused: /\bprocess\??\.env\b|\bprocess\[|['"]node:process['"]|['"]process['"]/,
    examples: ['const x = process.env.HOME;', "import { env } from 'node:process';"],
  },
  {
    says: 'send HTTP only from platform/http-client, the exporter of spans and the command-line client',
    folder: 'src',
    allowed: /^src\/(?:platform\/http-client\/|platform\/telemetry\/otlp\.tracer\.ts$|cli\/)/,
    refused:
      /(?<![.\w])fetch\s*\(|globalThis\.fetch|['"](?:undici|axios|got|node:https|https|node:http2|@opentelemetry\/exporter-[\w-]+)['"]|\bhttps?\.(?:request|get)\s*\(|import \{[^}]*\b(?:request|get|ClientRequest|Agent)\b[^}]*\} from 'node:http'/,
    examples: [
      'await fetch(url);',
      "import { request } from 'undici';",
      "import { OTLPTraceExporter } from '@opentelemetry/exporter-trace-otlp-http';",
      "import { get, Server } from 'node:http';",
      'http.request(url)',
    ],
  },
  {
    says: 'open connections only from platform/http-client, and from the driver of the database',
    folder: 'src',
    // The driver cancels statements and watches the path to its server, over connections of its own.
    allowed:
      /^src\/platform\/(?:http-client\/|database\/driver\/connections\/(?:cancel-query|path\.monitor)\.ts$)/,
    refused:
      /import \{[^}]*\b(?:connect|createConnection)\b[^}]*\} from 'node:(?:net|tls|http2)'|\* as \w+ from 'node:(?:net|tls|http)'|import \w+ from 'node:(?:net|tls|http)'|\b(?:net|tls)\.(?:connect|createConnection)\s*\(|import\(\s*'node:(?:net|tls|http)'|new (?:WebSocket|EventSource)\b/,
    examples: [
      "import { connect } from 'node:net';",
      "import { type Socket, connect as connectTls } from 'node:tls';",
      "import net from 'node:net';",
      "import * as tls from 'node:tls';",
      "const { connect } = await import('node:net');",
      'new WebSocket(url);',
    ],
  },
  {
    says: 'load OpenTelemetry only with the tracer, which is loaded when tracing is on',
    folder: 'src',
    allowed: /^src\/platform\/telemetry\/(?:otlp\.tracer|span\.queue)\.ts$/,
    refused:
      /(?:from |import |import\()\s*'@opentelemetry\/|^import (?!type\b)[^;]*'[./\w-]*\/(?:otlp\.tracer|span\.queue)\.js'/m,
    examples: [
      "import { trace } from '@opentelemetry/api';",
      "await import('@opentelemetry/sdk-trace');",
      "import { OtlpTracer } from './otlp.tracer.js';",
    ],
  },
  {
    says: 'react to domain events in <module>.listener.ts only',
    folder: 'src',
    allowed: /^src\/modules\/([^/]+)\/\1\.listener\.ts$/,
    refused: /@On(?:Domain)?Event\b/,
    examples: ['@OnDomainEvent(userEventTypes.created)', "@OnEvent('user.created')"],
  },
  {
    says: 'contain no forwardRef',
    folder: 'src',
    refused: /\bforwardRef\b/,
    examples: ['forwardRef(() => A)'],
  },
  {
    says: 'give a reason for each disabled check',
    folder: '{src,test,migrations}',
    comments: true,
    refused: /(?:eslint|oxlint)-disable(?!.* -- \S)|@ts-(?:ignore|nocheck)|@ts-expect-error\s*$/m,
    examples: ['// eslint-disable-next-line no-eval\n', '// @ts-ignore because', '// @ts-expect-error\n'],
  },
  {
    says: 'run all tests of a file',
    folder: 'test',
    // The helper reports the reason when a machine lacks what the tests need.
    allowed: /support\/app\/where-possible\.ts$/,
    refused: /\b(?:it|test|describe)(?:\.\w+)*\.(?:only|skip)\b|\b[fx](?:it|describe)\(/,
    examples: ["it.only('a')", "describe.skip('b')"],
  },
];

const read = (path: string): string => readFileSync(join(ROOT, path), 'utf8');

describe('the sources', () => {
  it.each(textRules)('$says', ({ folder, allowed, refused, comments, examples }) => {
    const judged = (text: string) => refused.test(comments ? text : withoutComments(text));
    expect(examples.map(judged)).toEqual(examples.map(() => true));
    // This file contains the examples.
    const files = globSync(`${folder}/**/*.ts`, { cwd: ROOT }).filter((path) => !path.endsWith(SELF));
    expect(files.length).toBeGreaterThan(0);
    expect(files.filter((path) => !allowed?.test(path) && judged(read(path)))).toEqual([]);
  });

  it('have no barrel files', () => {
    expect(globSync('{src,test,migrations}/**/index.ts', { cwd: ROOT })).toEqual([]);
    const reExport = /^export (?:\*|\{[^}]*\}|type \{[^}]*\}) from /m;
    expect(globSync('src/**/*.ts', { cwd: ROOT }).filter((path) => reExport.test(read(path)))).toEqual([]);
  });
});

const withoutComments = (text: string): string =>
  text.replaceAll(/\/\*[\s\S]*?\*\//g, '').replaceAll(/(^|\s)\/\/.*$/gm, '$1');

/** The routes that are public on purpose. */
const PUBLIC = [
  'AuthController.login',
  'AuthController.refresh',
  'DiscoveryController.readOpenIdConfiguration',
  'DiscoveryController.readServerMetadata',
  'EmailController.resendVerification',
  'EmailController.verifyEmail',
  'HealthController.checkHealth',
  'HealthController.checkLiveness',
  'HealthController.checkReadiness',
  'HealthController.checkStartup',
  'IndexController.describeApi',
  'IndexController.describeService',
  'IntrospectionController.revokeToken',
  'JwksController.readSigningKeys',
  'MetricsController.readMetrics',
  'RecoveryController.forgotPassword',
  'RecoveryController.resetPassword',
  // It checks the caller itself, because a browser sends a ticket in place of the token.
  'SocketsController.openSocket',
  'UsersController.createUser',
];

describe('the routes', () => {
  let controllers: Type[];
  beforeAll(async () => {
    const config = readConfig({ NODE_ENV: 'test' });
    controllers = [...(await declaredIn(AppModule.with(config), 'controllers'))] as Type[];
  });

  it('cover every controller file', () => {
    const files = globSync('src/**/*.controller.ts', { cwd: ROOT });
    const classes = files.flatMap((path) =>
      [...readFileSync(join(ROOT, path), 'utf8').matchAll(/export class (\w+Controller)/g)].map(
        (match) => match[1],
      ),
    );
    expect(controllers.map(({ name }) => name).toSorted()).toEqual(classes.map(String).toSorted());
  });

  it('all declare a policy', () => {
    const routes = controllers.flatMap(policies);
    expect(routes.length).toBeGreaterThan(PUBLIC.length);
    expect(routes.filter(({ policy }) => policy === undefined).map(({ route }) => route)).toEqual([]);
  });

  it('are public only if listed here', () => {
    const open = controllers.flatMap(policies).filter(({ policy }) => policy?.kind === 'public');
    expect(open.map(({ route }) => route).toSorted()).toEqual(PUBLIC);
  });

  it('without a policy are detected', () => {
    class Undeclared {
      @Get()
      read(): void {}
    }
    expect(policies(Undeclared)).toEqual([{ route: 'Undeclared.read', policy: undefined }]);
  });
});

function policies(controller: Type): { route: string; policy: Policy | undefined }[] {
  const prototype = controller.prototype as Record<string, unknown>;
  return Object.getOwnPropertyNames(prototype).flatMap((name) => {
    const handler = prototype[name];
    if (typeof handler !== 'function' || !Reflect.hasMetadata('method', handler)) return [];
    const policy = (Reflect.getMetadata(POLICY_METADATA, handler) ??
      Reflect.getMetadata(POLICY_METADATA, controller)) as Policy | undefined;
    return [{ route: `${controller.name}.${name}`, policy }];
  });
}
