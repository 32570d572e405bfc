import { createRequire } from 'node:module';
import circus from 'jest-circus/runner';
import { importTestFile } from './loader.mjs';

const require = createRequire(import.meta.url);

/**
 * Runs Jest's own test runner, but Node loads the modules that Jest would reload for every test file. The
 * service and its dependencies load once per worker, and modules under `test` once per file.
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

/** Reloads the module, because Jest keeps a file's tests in it. */
function requireAnew(path) {
  delete require.cache[path];
  return require(path);
}
