import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import {
  cpSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  realpathSync,
  rmSync,
  utimesSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';

import { afterEach, beforeEach, describe, expect, it, jest } from '@jest/globals';
import { until } from '../../support/app/until.js';

// Runs the scripts in a separate checkout with a fake compiler that copies, counts, is slow and can fail. The
// real compiler runs before every test run, in `npm run build`.
const SCRIPTS = ['build', 'file-lock', 'describe-build', 'start', 'complete-lock'].map(
  (name) => `scripts/${name}.mjs`,
);
const COMPILER = `
  const { appendFileSync, cpSync, readFileSync, readdirSync, renameSync } = require('node:fs');
  const { dirname, join } = require('node:path');
  appendFileSync('compiled.log', 'compiled\\n');
  const output = dirname(process.argv[process.argv.indexOf('--path') + 1]);
  cpSync('src', join(output, 'src'), { recursive: true });
  Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, 300);
  for (const name of readdirSync('src').filter((name) => name.endsWith('.ts'))) {
    if (readFileSync(join('src', name), 'utf8').includes('MISTAKE')) {
      console.error(name + ': a mistake');
      process.exit(1);
    }
    renameSync(join(output, 'src', name), join(output, 'src', name.replace('.ts', '.js')));
  }
`;
const MAIN = `
  console.log('running');
  if (process.argv[2] === 'stay') {
    process.stdin.once('data', async () => {
      const { late } = await import('./late.js');
      console.log(late);
      process.exit(0);
    });
  }
`;

// One test may run five starts of Node and as many compilations.
jest.setTimeout(120_000);

let root: string;
const children: ChildProcess[] = [];

function write(path: string, content: string): void {
  mkdirSync(dirname(join(root, path)), { recursive: true });
  writeFileSync(join(root, path), content);
}

interface Run {
  readonly child: ChildProcess;
  output: string;
  readonly ended: Promise<number | null>;
}

function run(script: string, args: string[] = [], nodeArgs: string[] = []): Run {
  const child = spawn(process.execPath, [...nodeArgs, `scripts/${script}`, ...args], {
    cwd: root,
    stdio: ['pipe', 'pipe', 'pipe'],
  });
  children.push(child);
  const ended = once(child, 'close').then(() => child.exitCode);
  const running: Run = { child, output: '', ended };
  child.stdout.on('data', (data: Buffer) => (running.output += data.toString()));
  child.stderr.on('data', (data: Buffer) => (running.output += data.toString()));
  return running;
}

async function start(): Promise<string> {
  const running = run('start.mjs');
  expect(await running.ended).toBe(0);
  return running.output;
}

function compilations(): number {
  const log = join(root, 'compiled.log');
  return existsSync(log) ? readFileSync(log, 'utf8').split('\n').length - 1 : 0;
}

function builds(): string[] {
  return readdirSync(root).filter((name) => /^dist\.[0-9a-f]+$/.test(name));
}

beforeEach(() => {
  root = realpathSync(mkdtempSync(join(tmpdir(), 'gatehouse-build-')));
  for (const path of SCRIPTS) {
    mkdirSync(dirname(join(root, path)), { recursive: true });
    cpSync(join(process.cwd(), path), join(root, path));
  }
  write('package.json', '{ "type": "module" }');
  write('.tsconfig.build.json', '{}');
  write('node_modules/@nestjs/cli/package.json', '{ "type": "commonjs" }');
  write('node_modules/@nestjs/cli/bin/nest.js', COMPILER);
  write('src/main.ts', MAIN);
  write('src/late.ts', `export const late = 'first';`);
});

afterEach(() => {
  for (const child of children.splice(0)) child.kill('SIGKILL');
  rmSync(root, { recursive: true, force: true });
});

describe('npm start', () => {
  it('compiles once for two concurrent starts and runs both', async () => {
    const outputs = await Promise.all([start(), start()]);
    expect(outputs.every((output) => output.includes('running'))).toBe(true);
    expect(compilations()).toBe(1);
    expect(readFileSync(join(root, 'dist/src/main.js'), 'utf8')).toBe(MAIN);
  });

  it('recompiles only when a source was changed, added or removed', async () => {
    await start();
    utimesSync(join(root, 'src/main.ts'), new Date(), new Date());
    write('src/late.spec.ts', '// not part of the build');
    await start();
    expect(compilations()).toBe(1);

    write('src/late.ts', `export const late = 'other';`);
    utimesSync(join(root, 'src/late.ts'), new Date(0), new Date(0));
    await start();
    expect(compilations()).toBe(2);

    rmSync(join(root, 'src/late.ts'));
    await start();
    expect(compilations()).toBe(3);
    expect(existsSync(join(root, 'dist/src/late.js'))).toBe(false);
  });

  it('repairs a dist that another program has changed', async () => {
    await start();
    write('dist/src/main.js', 'console.log("something else")');
    rmSync(join(root, 'dist/src/late.js'));
    expect(await start()).toContain('running');
    expect(readFileSync(join(root, 'dist/src/main.js'), 'utf8')).toBe(MAIN);
    expect(existsSync(join(root, 'dist/src/late.js'))).toBe(true);
  });

  it('does not change a running service while another start compiles', async () => {
    const running = run('start.mjs', ['stay']);
    await until(() => running.output.includes('running'));

    write('src/late.ts', `export const late = 'second';`);
    await start();
    expect(readFileSync(join(root, 'dist/src/late.js'), 'utf8')).toContain('second');
    expect(builds()).toHaveLength(2);

    running.child.stdin?.write('go\n');
    expect(await running.ended).toBe(0);
    expect(running.output).toContain('first');
    await start();
    expect(builds()).toHaveLength(1);
  });

  it('reports what does not compile, exits 1 and leaves dist unchanged', async () => {
    await start();
    write('src/main.ts', 'MISTAKE');
    const failed = run('start.mjs');
    expect(await failed.ended).toBe(1);
    expect(failed.output).toContain('main.ts: a mistake\nbuild: the sources do not compile\n');
    expect(failed.output).not.toContain('running');
    expect(readFileSync(join(root, 'dist/src/main.js'), 'utf8')).toBe(MAIN);
  });

  it('starts after a build that was killed midway and removes its leftovers', async () => {
    const killed = run('build.mjs');
    await until(() => compilations() === 1);
    killed.child.kill('SIGKILL');
    await killed.ended;
    expect(readdirSync(root).join(' ')).toMatch(/dist\.\S+\.tmp/);
    expect(existsSync(join(root, 'dist'))).toBe(false);

    expect(await start()).toContain('running');
    await start();
    expect(readdirSync(root).join(' ')).not.toMatch(/\.tmp/);
  });

  it('uses dist without development dependencies, and reports a missing dist', async () => {
    await start();
    rmSync(join(root, 'node_modules'), { recursive: true });
    rmSync(join(root, 'src'), { recursive: true });
    expect(await start()).toBe('running\n');

    rmSync(join(root, 'dist'), { recursive: true });
    const failed = run('start.mjs');
    expect(await failed.ended).toBe(1);
    expect(failed.output).toBe('build: there is no dist and no compiler: run `npm ci` and `npm run build`\n');
  });

  it('refuses a Node that is too old, in one line and before it loads anything', async () => {
    const pretend = `Object.defineProperty(process, 'versions', { value: { node: '24.14.9' } })`;
    const refused = run('start.mjs', [], ['--import', `data:text/javascript,${pretend}`]);
    expect(await refused.ended).toBe(1);
    expect(refused.output).toBe(
      'Gatehouse needs Node 24.15 or newer, this is 24.14.9: use `npm start`, which brings its own\n',
    );
    expect(compilations()).toBe(0);
  });
});

describe('complete-lock', () => {
  const lock = {
    packages: {
      '': {},
      'node_modules/tool': {
        version: '1.2.3',
        dev: true,
        optionalDependencies: {
          '@tool/linux-x64-gnu': '1.2.3',
          '@tool/linux-arm64-musl': '1.2.3',
          '@tool/win32-x64-msvc': '1.2.3',
        },
      },
      'node_modules/@tool/linux-x64-gnu': { version: '1.2.3' },
    },
  };

  it('adds the platform packages that npm omitted, once', async () => {
    write('package-lock.json', JSON.stringify(lock));
    const first = run('complete-lock.mjs');
    expect(await first.ended).toBe(0);
    const written = readFileSync(join(root, 'package-lock.json'), 'utf8');
    const shared = { version: '1.2.3', dev: true, optional: true };
    expect(JSON.parse(written)).toEqual({
      packages: {
        ...lock.packages,
        'node_modules/@tool/linux-arm64-musl': {
          ...shared,
          cpu: ['arm64'],
          libc: ['musl'],
          os: ['linux'],
        },
        'node_modules/@tool/win32-x64-msvc': { ...shared, cpu: ['x64'], os: ['win32'] },
      },
    });

    await run('complete-lock.mjs').ended;
    expect(readFileSync(join(root, 'package-lock.json'), 'utf8')).toBe(written);
  });

  it('rejects a package name without a platform, and writes nothing', async () => {
    const strange = { packages: { '': { optionalDependencies: { helper: '1.0.0' } } } };
    write('package-lock.json', JSON.stringify(strange));
    const refused = run('complete-lock.mjs');
    expect(await refused.ended).toBe(1);
    expect(refused.output).toBe('complete-lock: helper: the name does not say its platform\n');
    expect(readFileSync(join(root, 'package-lock.json'), 'utf8')).toBe(JSON.stringify(strange));
  });
});
