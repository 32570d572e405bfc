// Adds the entries of platform packages that npm omitted to package-lock.json.
//
// A registry need not serve the binaries of every platform. `npm install` silently drops an optional package
// that it cannot find from the lock, and `npm ci` then rejects that lock: "Missing: @swc/core-darwin-arm64@
// from lock file". Name, version and platform of such a package follow from the package that requires it, so
// this script writes them. npm never fetches them on other platforms and finds them on their own. No
// integrity is written, because nothing was downloaded.
//
// Run it after every `npm install` that changes the lock (`npm run deps:lock`). A second run changes nothing.

import { readFileSync, realpathSync, renameSync, writeFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';

const OS = [
  'aix',
  'android',
  'darwin',
  'freebsd',
  'linux',
  'netbsd',
  'openbsd',
  'openharmony',
  'sunos',
  'win32',
];
const OS_ALIASES = { windows: 'win32' };
const CPU = ['arm', 'arm64', 'ia32', 'loong64', 'mips64el', 'ppc64', 'riscv64', 's390x', 'wasm32', 'x64'];
const LIBC = { gnu: 'glibc', gnueabihf: 'glibc', musl: 'musl', musleabihf: 'musl' };
const EXACT_VERSION = /^\d+\.\d+\.\d+(-[0-9A-Za-z.-]+)?$/;

/**
 * Converts `@swc/core-linux-arm64-musl` into `{ os: 'linux', cpu: 'arm64', libc: 'musl' }`; returns null when
 * the name has no platform.
 */
function platformOf(name) {
  const words = name.split(/[/-]/).map((word) => OS_ALIASES[word] ?? word);
  const at = words.findIndex((word, index) => OS.includes(word) && CPU.includes(words[index + 1]));
  if (at === -1) return null;
  const libc = words[at] === 'linux' ? LIBC[words[at + 2]] : undefined;
  return { os: words[at], cpu: words[at + 1], ...(libc === undefined ? {} : { libc }) };
}

/**
 * Returns the path of the lock entry that Node would resolve `name` to from the package at `from`, or null.
 */
function resolveIn(packages, from, name) {
  for (let folder = from; ;) {
    const path = `${folder === '' ? '' : `${folder}/`}node_modules/${name}`;
    if (packages[path] !== undefined) return path;
    if (folder === '') return null;
    folder = folder.slice(0, Math.max(0, folder.lastIndexOf('node_modules/') - 1));
  }
}

function entryFor(name, version, wantedBy) {
  const platform = platformOf(name);
  if (platform === null) throw new Error(`${name}: the name does not say its platform`);
  if (!EXACT_VERSION.test(version)) throw new Error(`${name}: ${version} is not one exact version`);
  // The keys are in npm's own order, so that npm does not rewrite the file.
  return {
    version,
    cpu: [platform.cpu],
    ...(wantedBy.dev === true ? { dev: true } : {}),
    ...(platform.libc === undefined ? {} : { libc: [platform.libc] }),
    optional: true,
    os: [platform.os],
  };
}

/**
 * Returns a copy of `lock` with every optional dependency resolved, and the added paths. Throws on a
 * dependency that it cannot derive.
 */
function completeLock(lock) {
  const packages = { ...lock.packages };
  const added = [];
  for (const [from, wantedBy] of Object.entries(lock.packages)) {
    for (const [name, version] of Object.entries(wantedBy.optionalDependencies ?? {})) {
      if (resolveIn(packages, from, name) !== null) continue;
      const path = `node_modules/${name}`;
      packages[path] = entryFor(name, version, wantedBy);
      added.push(path);
    }
  }
  const sorted = Object.entries(packages).toSorted(([a], [b]) => a.localeCompare(b, 'en'));
  return { lock: { ...lock, packages: Object.fromEntries(sorted) }, added };
}

function main(path) {
  const { lock, added } = completeLock(JSON.parse(readFileSync(path, 'utf8')));
  if (added.length > 0) {
    writeFileSync(`${path}.tmp`, `${JSON.stringify(lock, null, 2)}\n`);
    renameSync(`${path}.tmp`, path);
  }
  process.stdout.write(`${path}: ${added.length} platform packages added\n`);
}

if (realpathSync(process.argv[1]) === fileURLToPath(import.meta.url)) {
  try {
    main(process.argv[2] ?? 'package-lock.json');
  } catch (error) {
    process.stderr.write(`complete-lock: ${error.message}\n`);
    process.exitCode = 1;
  }
}
