// Compiles the service when its sources have changed: `npm run build` (run directly) and `npm start`
// (ensureBuilt).
//
// Every build has a folder of its own, dist.<hash of the sources>, which never changes: a service runs from
// there, so a rebuild beside it cannot mix new modules into it. `dist` is a copy of the newest build, for the
// image, the tests and tools. A build's folder is removed by a later build, once no process runs from it.
//
// Everything is written under a temporary name and renamed, under a lock that ends with its holder: a start
// killed midway leaves rubbish (dist.*.tmp, removed by the next build) and nothing that another start could
// take for a build.

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
/** Times of copied files are kept to the millisecond. */
const SAME_TIME_MS = 2;

const LOCK_POLL_MS = 25;

// SQLite's lock on an empty file, as in src/platform/database/embedded/process-lock.ts, which says why. Not
// imported from there: letting Node strip the types would cost the service 30 MB for the rest of its life.
const EXCLUSIVE = 'pragma journal_mode = memory; begin exclusive';
const SHARED = 'begin; select 1 from sqlite_schema';
const SQLITE_BUSY = 5;

class BuildError extends Error {}

/**
 * Locks on the build this process runs from: whoever builds next lets its folder be. A collected lock would
 * be released.
 */
const heldUntilTheEnd = [];

/**
 * Makes sure that `dist` is the sources compiled, and returns the path of the module to run. Without
 * development dependencies (`npm ci --omit=dev`), or where the folder cannot be written to, `dist` is taken
 * as it is. Throws BuildError, after the compiler's own words; then everything is as it was before.
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

/** A database connection that holds the lock until it is closed; null when somebody else holds it. */
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
 * Of names and contents: a file that came, went, or went back to an older state counts, a mere `touch` does
 * not.
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

/** The facts that src/config/build-info.ts tells of the build. In an image there is no repository: COMMIT names its commit. */
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

/** In a process of its own, as the compiler's memory would stay with the service. Its words go to stderr. */
async function compile(project) {
  // The compiler takes the path of its settings as relative, whatever it is.
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

/** Also finds a `dist` that something else has written to, such as `nest start --watch`. */
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

/** Removes the builds that no process holds any more; ours is held by ourselves. */
async function removeUnused() {
  for (const path of globSync('dist.*.lock', { cwd: ROOT })) {
    const lock = openLock(join(ROOT, path), EXCLUSIVE);
    if (lock === null) continue;
    await rm(join(ROOT, path.replace(/\.lock$/, '')), { recursive: true, force: true });
    await rm(join(ROOT, path), { force: true });
    lock.close();
  }
}

/** What a killed build left. An orphaned compiler may still write to it; then a later build removes it. */
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

/** One line for the terminal, without a stack, for a failure that the person can do something about. */
export function report(error) {
  say(error instanceof BuildError ? error.message : String(error));
  process.exitCode = 1;
}

if (import.meta.main) await ensureBuilt().catch(report);
