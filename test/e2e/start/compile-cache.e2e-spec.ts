import { cpSync, existsSync, mkdirSync, readdirSync, statSync, symlinkSync, writeFileSync } from 'node:fs';
import { mkdtemp, realpath, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { afterEach, beforeEach, describe, expect, it, jest } from '@jest/globals';
import { Instance } from '../../support/app/instance.js';
import { MASTER_KEY } from '../../support/app/secrets.js';
import { ADMIN } from '../../support/app/test-app.js';
import { TestDatabase } from '../../support/database/test-database.js';

// Each test starts the service twice, the first time without compiled code.
jest.setTimeout(90_000);

let root: string;
let modules: string;
let database: TestDatabase;
const running: Instance[] = [];

/** Makes a checkout of its own from the build and links to the packages. */
beforeEach(async () => {
  database = await TestDatabase.create();
  root = await realpath(await mkdtemp(join(tmpdir(), 'gatehouse-compile-cache-')));
  modules = join(root, 'node_modules');
  cpSync('dist', join(root, 'dist'), { recursive: true });
  cpSync('package.json', join(root, 'package.json'));
  mkdirSync(modules);
  for (const name of readdirSync('node_modules')) {
    if (!name.startsWith('.')) symlinkSync(resolve('node_modules', name), join(modules, name));
  }
});
afterEach(async () => {
  await Promise.all(running.splice(0).map((instance) => instance.stop('SIGKILL')));
  await rm(root, { recursive: true, force: true });
  await database.drop();
});

async function start(more: Record<string, string> = {}): Promise<Instance> {
  // An empty NODE_COMPILE_CACHE counts as none.
  const env = { ...database.addresses, MASTER_KEY, ADMIN_PASSWORD: ADMIN.password, NODE_COMPILE_CACHE: '' };
  const instance = await Instance.start({
    env: { ...env, ...more },
    entry: join(root, 'dist/src/main.js'),
  });
  running.push(instance);
  return instance;
}

const folder = (): string => join(modules, '.cache/gatehouse');

/** Returns the paths of the compiled modules. */
const compiled = (): string[] =>
  existsSync(folder())
    ? readdirSync(folder(), { recursive: true, withFileTypes: true })
        .filter((entry) => entry.isFile())
        .map((entry) => join(entry.parentPath, entry.name))
    : [];

describe('the compiled code of a start', () => {
  it('is there once the service serves, only for its user, and the next start uses it', async () => {
    const first = await start();
    await first.stop('SIGKILL');
    expect(compiled().length).toBeGreaterThan(1000);
    expect(statSync(folder()).mode & 0o777).toBe(0o700);

    const second = await start({ NODE_DEBUG_NATIVE: 'COMPILE_CACHE' });
    const lines = (second.stdout + second.stderr).split('\n');
    const accepted = lines.filter((line) => line.endsWith('was accepted, keeping the in-memory entry'));
    expect(accepted.length).toBeGreaterThan(1000);
    expect(accepted.some((line) => line.includes(join(root, 'dist/src/app.js')))).toBe(true);
  });

  it('is ignored when it is damaged', async () => {
    await (await start()).stop('SIGKILL');
    const files = compiled();
    expect(files).not.toEqual([]);
    for (const file of files) writeFileSync(file, 'damaged');
    const second = await start();
    expect(second.stderr).toBe('');
    expect(await second.stop()).toBe(0);
  });

  it('is not kept where no folder can be created', async () => {
    writeFileSync(join(modules, '.cache'), 'a file');
    const instance = await start();
    expect(instance.stderr).toBe('');
    expect(await instance.stop()).toBe(0);
  });

  it('goes to NODE_COMPILE_CACHE if that is set', async () => {
    const own = join(root, 'own');
    await (await start({ NODE_COMPILE_CACHE: own })).stop('SIGKILL');
    expect(readdirSync(own)).not.toEqual([]);
    expect(existsSync(folder())).toBe(false);
  });

  it('is not kept with NODE_DISABLE_COMPILE_CACHE', async () => {
    expect(await (await start({ NODE_DISABLE_COMPILE_CACHE: '1' })).stop()).toBe(0);
    expect(compiled()).toEqual([]);
  });
});
