import { once } from 'node:events';
import { mkdtemp, rm, symlink, writeFile } from 'node:fs/promises';
import { type AddressInfo, createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { Instance } from '../../support/app/instance.js';
import { MASTER_KEY } from '../../support/app/secrets.js';
import { ADMIN, signIn } from '../../support/app/test-app.js';
import { TestDatabase } from '../../support/database/test-database.js';

const OTHER_KEY = 'bJx1o7YtQe9sWc3vNf5mGh2kLp8rZa4uDi6XyTqRwE0=';

describe('a start that fails because of its environment', () => {
  let database: TestDatabase;
  let empty: TestDatabase;
  let dataDir: string;
  let first: Instance;
  beforeAll(async () => {
    database = await TestDatabase.create();
    empty = await TestDatabase.create({ empty: true });
    // The link leads nowhere, so no user can write to it, whichever runs the tests.
    dataDir = await mkdtemp(join(tmpdir(), 'gatehouse-no-log-'));
    await symlink(join(dataDir, 'nowhere', 'erasures.log'), join(dataDir, 'erasures.log'));
    // The first start encrypts a signing key with MASTER_KEY and creates the first administrator.
    const env = { ...database.addresses, MASTER_KEY, ADMIN_PASSWORD: ADMIN.password, DATA_DIR: dataDir };
    first = await Instance.start({ env: { ...env, LOG_LEVEL: 'warn' } });
    await first.stop();
  });
  afterAll(async () => {
    await rm(dataDir, { recursive: true });
    await database.drop();
    await empty.drop();
  });

  /** Returns the message before the exit, and checks that it reveals none of the given secrets. */
  async function faultOf(env: Record<string, string>): Promise<string> {
    const instance = await Instance.spawn({
      env: { ...database.addresses, MASTER_KEY, LOG_LEVEL: 'info', ...env },
    });
    expect(await instance.exitCode).toBe(1);
    expect(instance.stderr).toMatch(/^Gatehouse could not start: [^\n]+\n$/);
    for (const name of ['MASTER_KEY', 'ADMIN_PASSWORD', 'METRICS_TOKEN', 'DATABASE_URL']) {
      if (env[name]) expect(instance.stderr + instance.stdout).not.toContain(env[name]);
    }
    expect(instance.stdout).not.toMatch(/"level":"(?:error|fatal)"|Gatehouse is ready/);
    return instance.stderr.slice('Gatehouse could not start: '.length, -1);
  }

  it('warns that erasures cannot be logged, and serves', () => {
    expect(first.stdout).toContain('erasures cannot be logged in DATA_DIR');
    expect(first.stdout).toContain('Gatehouse is ready');
  });

  it('names the port that is taken', async () => {
    const holder = createServer().listen(0, '127.0.0.1');
    await once(holder, 'listening');
    const { port } = holder.address() as AddressInfo;
    expect(await faultOf({ PORT: String(port) })).toMatch(
      new RegExp(`^the port is taken: stop what listens there, or set PORT \\(.*127\\.0\\.0\\.1:${port}\\)$`),
    );
    holder.close();
  });

  it('names every fault of the configuration at once', async () => {
    const fault = await faultOf({
      PORT: '70000',
      DOCS: 'yes',
      LOG_LEVEL: 'loud',
      MASTER_KEY: 'too short to be a key',
      DATABASE_URL: 'mysql://root:hidden@localhost/x',
    });
    expect(fault).toMatch(/^The configuration is invalid: /);
    for (const name of ['PORT', 'DOCS', 'LOG_LEVEL', 'MASTER_KEY', 'DATABASE_URL'])
      expect(fault).toContain(`${name} `);
  });

  it('names every variable that production requires', async () => {
    const fault = await faultOf({ NODE_ENV: 'production', MASTER_KEY: '' });
    expect(fault).toBe(
      'The configuration is invalid: MASTER_KEY is required in production; METRICS_TOKEN is required in production; ' +
        'ADMIN_PASSWORD is required for the first start in production',
    );
  });

  it('requires a password for the first administrator in production', async () => {
    const production = { NODE_ENV: 'production', METRICS_TOKEN: 'sixteen characters or so' };
    const fault = await faultOf({ ...production, PORT: '0', ...empty.addresses });
    expect(fault).toContain('ADMIN_PASSWORD is required for the first start in production');
    // The check precedes any change.
    expect(await empty.query(`SELECT FROM pg_class WHERE relname = 'migrations'`)).toEqual([]);
  });

  it.each([
    ['short', 'ADMIN_PASSWORD must have 8 to 128 characters'],
    ['password123', 'ADMIN_PASSWORD must not be a commonly used one'],
    ['the gatehouse 42', 'ADMIN_PASSWORD must not contain the name of the product'],
  ])('rejects %s as the password of the first administrator', async (password, reason) => {
    const fault = await faultOf({ ...empty.addresses, ADMIN_PASSWORD: password });
    expect(fault).toContain(reason);
    expect(await empty.query(`SELECT FROM pg_class WHERE relname = 'migrations'`)).toEqual([]);
  });

  it('reports that the database cannot be reached, without its password', async () => {
    const closed = createServer().listen(0, '127.0.0.1');
    await once(closed, 'listening');
    const { port } = closed.address() as AddressInfo;
    closed.close();
    await once(closed, 'close');
    const fault = await faultOf({
      DATABASE_URL: `postgres://somebody:hidden-word@127.0.0.1:${port}/none`,
      DB_START_TIMEOUT_SECONDS: '0',
    });
    expect(fault).toMatch(/^The database cannot be reached: .*ECONNREFUSED.* \(DATABASE_URL\)$/);
    expect(fault).not.toContain('hidden-word');
  });

  it('distinguishes a wrong database password from an absent database', async () => {
    const url = new URL(database.serviceUrl);
    url.password = 'hidden-word';
    expect(await faultOf({ DATABASE_URL: url.href })).toMatch(
      /^The database cannot be reached: password authentication failed.* \(DATABASE_URL\)$/,
    );
  });

  it('names a folder that cannot be created or is a file', async () => {
    const file = join(dataDir, 'file');
    await writeFile(file, '');
    const embedded = { DATABASE_URL: '', MIGRATION_DATABASE_URL: '', DATA_DIR: '/proc/nope' };
    const [isFile, cannotBe, dataFolder, ofEmbedded] = await Promise.all([
      faultOf({ MAIL_DIR: file }),
      faultOf({ MAIL_DIR: '/proc/nope' }),
      faultOf({ DATA_DIR: '/proc/nope', MASTER_KEY: '' }),
      faultOf(embedded),
    ]);
    const templates = faultOf({ MAIL_TEMPLATES_DIR: '/proc/nope' });
    expect(await templates).toMatch(
      /: MAIL_TEMPLATES_DIR: \/proc\/nope cannot be read as a folder \(ENOENT\)$/,
    );
    for (const fault of [isFile, cannotBe]) {
      expect(fault).toMatch(/: MAIL_DIR must be a folder that the service can create/);
    }
    expect(dataFolder).toMatch(/: DATA_DIR must be a folder/);
    expect(ofEmbedded).toMatch(/^DATA_DIR \/proc\/nope cannot be created: .*ENOENT/);
  });

  it.each([
    ['scripts/start.mjs', './build.mjs'],
    ['dist/src/main.js', './platform/startup/start-service.js'],
  ])('survives a SIGHUP while %s loads the service', async (entry, loaded) => {
    const hook =
      `import { registerHooks } from 'node:module';` +
      `registerHooks({ resolve(specifier, context, next) {` +
      `if (specifier === '${loaded}') process.kill(process.pid, 'SIGHUP'); return next(specifier, context); } });`;
    const NODE_OPTIONS = `--import=data:text/javascript,${encodeURIComponent(hook)}`;
    const instance = await Instance.spawn({ entry, env: { NODE_OPTIONS, PORT: '70000' } });
    expect(await instance.exitCode).toBe(1);
    expect(instance.stderr).toContain('Gatehouse could not start: The configuration is invalid: PORT');
  });

  it('rejects a master key that did not encrypt the stored keys, and changes nothing', async () => {
    const before = await database.query('SELECT * FROM signing_keys');
    expect(await faultOf({ MASTER_KEY: OTHER_KEY })).toBe(
      'The configuration is invalid: MASTER_KEY is not the key that encrypted the signing keys in this database',
    );
    expect(await database.query('SELECT * FROM signing_keys')).toEqual(before);
  });
});

describe('a second start', () => {
  it('finds the users, keys and sessions of the first start in the embedded database', async () => {
    const dataDir = await mkdtemp(join(tmpdir(), 'gatehouse-second-'));
    const env = { DATA_DIR: dataDir, LOG_LEVEL: 'silent' };
    try {
      const first = await Instance.start({ env });
      const password = /Password: +(\S+)/.exec(first.stdout)?.[1] ?? '';
      const { token } = await signIn(first.url, ADMIN.email, password);
      expect(await first.stop('SIGINT')).toBe(0);

      const second = await Instance.start({ env });
      expect(second.stdout).not.toContain('First administrator');
      await signIn(second.url, ADMIN.email, password);
      const me = await fetch(`${second.url}/api/users/me`, { headers: { authorization: `Bearer ${token}` } });
      expect(me.status).toBe(200);
      expect(await second.stop('SIGINT')).toBe(0);
    } finally {
      await rm(dataDir, { recursive: true, force: true });
    }
  });
});
