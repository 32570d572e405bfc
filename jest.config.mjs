import { availableParallelism } from 'node:os';

/** `npm run test:plain` sets this: see docs/decisions/0058-plain-jest.md. */
const PLAIN = process.env.TEST_RUNNER === 'plain';

/** Loads the modules of the service once per worker. */
const sharedModules = {
  testEnvironment: '<rootDir>/test/runner/environment.mjs',
  testRunner: '<rootDir>/test/runner/runner.mjs',
  transform: {},
};

/** Loads every module anew for each test file, with Jest's own loader and environment. */
const plainJest = {
  testEnvironment: 'node',
  transform: { '\\.ts$': '<rootDir>/test/runner/swc-transformer.mjs' },
  setupFiles: ['<rootDir>/test/runner/plain-setup.mjs'],
  extensionsToTreatAsEsm: ['.ts'],
  // TypeScript sources import each other as .js files.
  moduleNameMapper: { '^(\\.{1,2}/.*)\\.js$': ['$1.js', '$1.ts'] },
};

const loader = PLAIN ? plainJest : sharedModules;

const database = {
  globalSetup: '<rootDir>/test/support/app/global-setup.mjs',
  globalTeardown: '<rootDir>/test/support/app/global-teardown.mjs',
};

export default {
  projects: [
    {
      ...loader,
      displayName: 'unit',
      testMatch: [
        '<rootDir>/src/**/*.spec.ts',
        '<rootDir>/test/{properties,contract,architecture,unit}/**/*.spec.ts',
        '<rootDir>/clients/typescript/test/**/*.spec.ts',
      ],
    },
    { ...loader, ...database, displayName: 'e2e', testMatch: ['<rootDir>/test/**/*.e2e-spec.ts'] },
    {
      ...loader,
      ...database,
      displayName: 'browser',
      testMatch: ['<rootDir>/test/browser/**/*.browser-spec.ts'],
    },
    {
      ...loader,
      ...database,
      displayName: 'faults',
      testMatch: ['<rootDir>/test/faults/**/*.fault-spec.ts'],
    },
  ],
  // One more than there are cores, because many tests mostly wait: for a time limit, a lock or another process.
  maxWorkers: availableParallelism() + 1,
  workerIdleMemoryLimit: '700MB',
  // A start of the service takes 3 s, and ten times as long beside the other workers of a busy machine. Some tests start several.
  testTimeout: 60_000,
};
