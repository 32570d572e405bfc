// Compiles the service when its sources have changed, for `npm run build` (run directly) and `npm start`
// (ensureBuilt).
//
// Every build has its own folder, dist.<hash of the sources>, which never changes. A service runs from there,
// so a concurrent rebuild cannot mix new modules into it. `dist` is a copy of the newest build, for the
// image, the tests and tools. A later build removes the folder once no process runs from it.
//
// Everything is written under a temporary name and renamed, under a lock that ends with its holder. A start
// killed midway leaves only garbage (dist.*.tmp, which the next build removes) and nothing that another start
// could mistake for a build.

import { execFileSync, spawn } from 'node:child_process';
import { createHash, randomBytes } from 'node:crypto';
import { accessSync, constants, existsSync, globSync, readFileSync, statSync } from 'node:fs';
import { cp, mkdir, rename, rm, writeFile } from 'node:fs/promises';
import { dirname, join, relative } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { setTimeout as sleep } from 'node:timers/promises';

const ROOT = dirname(import.meta.dirname);
const ENTRY = 'src/main.js';
const COMPILER = join(ROOT, 'node_modules/@nestjs/cli/bin/nest.js');
const SOURCES = [
  '{src,migrations}/**/*',
  'package.json',
  'package-lock.json',
  'nest-cli.json',
  '{,.}tsconfig*.json',
];
const LOCK_TIMEOUT_MS = 600_000;
const COMPILE_TIMEOUT_MS = 300_000;
const SAY_WAITING_MS = 1_500;
/** The tolerance for times of copied files, which are kept to the millisecond. */
const SAME_TIME_MS = 2;

const LOCK_POLL_MS = 25;

// SQLite's lock on an empty file; src/platform/database/embedded/process-lock.ts explains why. It is not
// imported from there, because stripping its types in Node would cost the service 30 MB for the rest of its
// life.
const EXCLUSIVE = 'pragma journal_mode = memory; begin exclusive';
const SHARED = 'begin; select 1 from sqlite_schema';
const SQLITE_BUSY = 5;

class BuildError extends Error {}

/**
 * Locks on the build that this process runs from, so that later builds keep its folder. Kept here because a
 * garbage-collected lock would be released.
 */
const heldUntilTheEnd = [];

/**
 * Ensures that `dist` holds the compiled sources, and returns the path of the module to run. Without
 * development dependencies (`npm ci --omit=dev`), or in a read-only folder, `dist` is used as it is. Throws
 * BuildError after the compiler's own output; everything then stays unchanged.
 */
export async function ensureBuilt() {
  if (!canBuild()) return builtBefore();
  const lock = await acquireBuildLock();
  try {
    await removeRubbish();
    const build = join(ROOT, `dist.${fingerprint()}`);
    if (!existsSync(join(build, ENTRY))) await compileInto(build);
    heldUntilTheEnd.push(openLock(`${build}.lock`, SHARED));
    if (!sameFiles(build, join(ROOT, 'dist'))) await replaceDist(build);
    await removeUnused();
    return join(build, ENTRY);
  } finally {
    lock.close();
  }
}

async function acquireBuildLock() {
  const patience = setTimeout(() => say('waiting for another build'), SAY_WAITING_MS);
  try {
    for (const deadline = Date.now() + LOCK_TIMEOUT_MS; Date.now() < deadline; await sleep(LOCK_POLL_MS)) {
      const lock = openLock(join(ROOT, 'dist.lock'), EXCLUSIVE);
      if (lock !== null) return lock;
    }
  } finally {
    clearTimeout(patience);
  }
  throw new BuildError(`another build has held dist.lock for more than ${LOCK_TIMEOUT_MS / 1000} s`);
}

/**
 * Returns a database connection that holds the lock until it is closed; null when another process holds it.
 */
function openLock(path, mode) {
  const database = new DatabaseSync(path, { timeout: 0 });
  try {
    database.exec(mode);
    return database;
  } catch (error) {
    database.close();
    if (error.errcode === SQLITE_BUSY) return null;
    throw error;
  }
}

function canBuild() {
  try {
    accessSync(ROOT, constants.W_OK);
    return existsSync(COMPILER);
  } catch {
    return false;
  }
}

function builtBefore() {
  const entry = join(ROOT, 'dist', ENTRY);
  if (existsSync(entry)) return entry;
  throw new BuildError('there is no dist and no compiler: run `npm ci` and `npm run build`');
}

/**
 * Hashes the names and contents of the sources. An added, removed or reverted file changes the hash; a mere
 * `touch` does not.
 */
function fingerprint() {
  const hash = createHash('sha256');
  for (const path of filesIn(ROOT, SOURCES)) {
    if (path.endsWith('.spec.ts')) continue;
    hash
      .update(`${path}\0`)
      .update(readFileSync(join(ROOT, path)))
      .update('\0');
  }
  return hash.digest('hex').slice(0, 16);
}

function filesIn(cwd, patterns) {
  return globSync(patterns, { cwd, withFileTypes: true })
    .filter((entry) => entry.isFile())
    .map((entry) => join(entry.parentPath, entry.name).slice(cwd.length + 1))
    .toSorted();
}

async function compileInto(build) {
  say('compiling the sources');
  const output = temporary();
  try {
    await mkdir(output);
    const project = join(output, 'tsconfig.json');
    const config = { extends: '../.tsconfig.build.json', compilerOptions: { outDir: '.' } };
    await writeFile(project, JSON.stringify(config));
    if (!(await compile(project))) throw new BuildError('the sources do not compile');
    await rm(project);
    await writeFile(join(output, 'build.json'), JSON.stringify(describeBuild()));
    await rename(output, build);
  } finally {
    await rm(output, { recursive: true, force: true });
  }
}

/**
 * Returns the facts that src/config/build-info.ts reports. An image has no repository, so COMMIT names its
 * commit.
 */
function describeBuild() {
  const { version } = JSON.parse(readFileSync(join(ROOT, 'package.json'), 'utf8'));
  return { version, commit: process.env.COMMIT || commitHere() };
}

function commitHere() {
  if (!existsSync(join(ROOT, '.git'))) return null;
  const git = (...args) =>
    execFileSync('git', args, { cwd: ROOT, encoding: 'utf8', stdio: ['ignore', 'pipe', 'ignore'] }).trim();
  try {
    const commit = git('rev-parse', 'HEAD');
    return git('status', '--porcelain', '--', 'src', 'migrations', 'package.json')
      ? `${commit}-dirty`
      : commit;
  } catch {
    return null;
  }
}

/**
 * Compiles in a separate process, because the service would otherwise keep the compiler's memory. The
 * compiler's output goes to stderr.
 */
async function compile(project) {
  // The compiler always treats the path of its settings as relative.
  const args = [COMPILER, 'build', '--path', relative(ROOT, project)];
  const child = spawn(process.execPath, args, {
    cwd: ROOT,
    stdio: ['ignore', 2, 2],
    timeout: COMPILE_TIMEOUT_MS,
  });
  return new Promise((resolve, reject) => {
    child.once('error', reject);
    child.once('exit', (code) => resolve(code === 0));
  });
}

/**
 * Compares the two folders. Also detects a `dist` changed by another program, such as `nest start --watch`.
 */
function sameFiles(build, dist) {
  const expected = filesIn(build, ['**/*']);
  const found = filesIn(dist, ['**/*']);
  return (
    expected.length === found.length &&
    expected.every((path, index) => path === found[index] && sameFile(join(build, path), join(dist, path)))
  );
}

function sameFile(a, b) {
  const [left, right] = [statSync(a), statSync(b)];
  return left.size === right.size && Math.abs(left.mtimeMs - right.mtimeMs) < SAME_TIME_MS;
}

async function replaceDist(build) {
  const dist = join(ROOT, 'dist');
  const [next, previous] = [temporary(), temporary()];
  await cp(build, next, { recursive: true, preserveTimestamps: true });
  if (existsSync(dist)) await rename(dist, previous);
  await rename(next, dist);
  await rm(previous, { recursive: true, force: true });
}

/** Removes builds that no process holds. This process holds its own. */
async function removeUnused() {
  for (const path of globSync('dist.*.lock', { cwd: ROOT })) {
    const lock = openLock(join(ROOT, path), EXCLUSIVE);
    if (lock === null) continue;
    await rm(join(ROOT, path.replace(/\.lock$/, '')), { recursive: true, force: true });
    await rm(join(ROOT, path), { force: true });
    lock.close();
  }
}

/**
 * Removes what a killed build left behind. If an orphaned compiler still writes to it, a later build removes
 * it.
 */
async function removeRubbish() {
  for (const path of globSync('dist.*.tmp', { cwd: ROOT })) {
    await rm(join(ROOT, path), { recursive: true, force: true }).catch(() => undefined);
  }
}

function temporary() {
  return join(ROOT, `dist.${process.pid}-${randomBytes(4).toString('hex')}.tmp`);
}

function say(message) {
  process.stderr.write(`build: ${message}\n`);
}

/** Prints one line without a stack, for a failure that the person can fix. */
export function report(error) {
  say(error instanceof BuildError ? error.message : String(error));
  process.exitCode = 1;
}

if (import.meta.main) await ensureBuilt().catch(report);
