import { execFileSync, spawnSync } from 'node:child_process';
import { randomUUID } from 'node:crypto';
import { existsSync, mkdirSync, readFileSync, renameSync, rmSync, symlinkSync } from 'node:fs';
import { join, resolve } from 'node:path';

/** The files that the build of a release reads, as in .dockerignore. */
const SOURCES = [
  'package.json',
  'package-lock.json',
  '.npmrc',
  'nest-cli.json',
  'tsconfig.json',
  '.tsconfig.build.json',
  'scripts',
  'migrations',
  'src',
];
const CACHE = resolve('node_modules/.cache/previous-release');
/** The time in ms for a compiler on a busy machine. */
export const BUILD_TIMEOUT_MS = 300_000;

/** The commit of the release before this one. */
export const previousRelease =
  readFileSync('test/migrations/previous-release', 'utf8').match(/^[\da-f]{40}$/m)?.[0] ?? 'named nowhere';

/** Returns why the release cannot be built here; null if it can. */
export function findWhyReleaseIsMissing(): string | null {
  if (existsSync(join(CACHE, previousRelease))) return null;
  const { status, error } = spawnSync('git', ['cat-file', '-e', `${previousRelease}^{commit}`]);
  if (error) return 'git is not installed';
  return status === 0 ? null : `this clone does not reach back to ${previousRelease}`;
}

/** Builds the release unless it is in the cache, and returns its entry point. */
export function buildPreviousRelease(): string {
  const folder = join(CACHE, previousRelease);
  if (!existsSync(folder)) {
    const temporary = join(CACHE, `${randomUUID()}.tmp`);
    mkdirSync(temporary, { recursive: true });
    try {
      const archive = execFileSync('git', ['archive', '--format=tar', previousRelease, ...SOURCES], {
        maxBuffer: 100_000_000,
      });
      execFileSync('tar', ['-x', '-C', temporary], { input: archive });
      provideModules(temporary);
      run(process.execPath, ['scripts/build.mjs'], temporary);
      // Another process may have been faster. Its build is the same.
      if (!existsSync(folder)) renameSync(temporary, folder);
    } finally {
      rmSync(temporary, { recursive: true, force: true });
    }
  }
  return join(folder, 'dist/src/main.js');
}

/** Lends the release the packages of this one, or installs its own where a version differs. */
function provideModules(folder: string): void {
  const { dependencies, devDependencies } = manifestOf(folder);
  const differ = Object.entries({ ...dependencies, ...devDependencies }).some(
    ([name, version]) => !isInstalled(name, version),
  );
  if (differ) run('npm', ['ci', '--ignore-scripts'], folder);
  else symlinkSync(resolve('node_modules'), join(folder, 'node_modules'));
}

function isInstalled(name: string, version: string): boolean {
  const folder = resolve('node_modules', name);
  return existsSync(folder) && manifestOf(folder).version === version;
}

interface Manifest {
  readonly version: string;
  readonly dependencies: Readonly<Record<string, string>>;
  readonly devDependencies: Readonly<Record<string, string>>;
}

const manifestOf = (folder: string): Manifest =>
  JSON.parse(readFileSync(join(folder, 'package.json'), 'utf8')) as Manifest;

function run(program: string, args: readonly string[], cwd: string): void {
  const env = { ...process.env, COMMIT: previousRelease };
  const { status, stderr } = spawnSync(program, args, {
    cwd,
    env,
    encoding: 'utf8',
    timeout: BUILD_TIMEOUT_MS,
  });
  if (status !== 0) throw new Error(`${program} ${args.join(' ')} of ${previousRelease} failed: ${stderr}`);
}
