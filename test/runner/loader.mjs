import { registerHooks } from 'node:module';
import { dirname } from 'node:path';
import { fileURLToPath, pathToFileURL } from 'node:url';
import { transformFileSync } from '@swc/core';

const TESTS = `${pathToFileURL(dirname(import.meta.dirname)).href}/`;
const GLOBALS = 'jest:globals';

/** The source maps of everything this worker has compiled, by URL. */
const sourceMaps = new Map();
let files = 0;
let jest;

/**
 * Imports a test file. The number in the URL makes the file, and everything it imports from `test`, a new
 * module. Those modules therefore see their own file's `@jest/globals` and keep no state from the previous
 * file.
 */
export async function importTestFile(path, given) {
  jest = given;
  files += 1;
  for (const [url, map] of sourceMaps) jest.sourceMaps.set(url, map);
  await import(`${pathToFileURL(path).href}?${files}`);
}

registerHooks({
  resolve(specifier, context, next) {
    const { parentURL } = context;
    if (!isOurs(parentURL)) return next(specifier, context);
    const file = new URL(parentURL).search;
    if (specifier === '@jest/globals') return { url: GLOBALS + file, shortCircuit: true };
    const found = next(specifier.replace(/^(\..*)\.js$/, '$1.ts'), context);
    return found.url.startsWith(TESTS) ? { ...found, url: found.url + file } : found;
  },
  load(url, context, next) {
    if (url.startsWith(GLOBALS)) return { format: 'module', source: exportGlobals(), shortCircuit: true };
    return isOurs(url) ? { format: 'module', source: compile(url), shortCircuit: true } : next(url, context);
  },
});

function isOurs(url) {
  return url !== undefined && /\.ts(\?\d+)?$/.test(url) && !url.includes('/node_modules/');
}

function compile(url) {
  const { code, map } = transformFileSync(fileURLToPath(url), { swcrc: true, sourceMaps: true });
  const address = `data:application/json;base64,${Buffer.from(map).toString('base64')}`;
  sourceMaps.set(url, address);
  jest.sourceMaps.set(url, address);
  return code;
}

function exportGlobals() {
  globalThis[Symbol.for(GLOBALS)] = jest.globals;
  return Object.keys(jest.globals)
    .map((name) => `export const ${name} = globalThis[Symbol.for('${GLOBALS}')].${name};`)
    .join('\n');
}
