import { createRequire } from 'node:module';
import circus from 'jest-circus/runner';
import { importTestFile } from './loader.mjs';

const require = createRequire(import.meta.url);

/**
 * Jest's own test runner, but what it would load anew for every test file, in a registry of its own, is loaded
 * by Node: the service and all that it stands on once per worker, and what lies under `test` for each file.
 */
export default function run(globalConfig, config, environment, runtime, testPath, report) {
  runtime.requireInternalModule = requireAnew;
  runtime.unstable_shouldLoadAsEsm = () => true;
  runtime.unstable_importModule = (path) =>
    importTestFile(path, {
      globals: runtime.requireModuleOrMock(testPath, '@jest/globals'),
      sourceMaps: runtime.getSourceMaps(),
    });
  return circus.default(globalConfig, config, environment, runtime, testPath, report);
}

/** Jest keeps the tests of a file in this module of its own. */
function requireAnew(path) {
  delete require.cache[path];
  return require(path);
}
