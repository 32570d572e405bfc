import { ModernFakeTimers } from '@jest/fake-timers';
import { ModuleMocker } from 'jest-mock';

/** The globals that Jest replaces for each test file. */
const REPLACED = [
  [globalThis, 'console'],
  [process, 'exit'],
  [process, 'getBuiltinModule'],
];
/** The symbols under which Jest keeps the settings of one test file. */
const KEPT = ['TEST_TIMEOUT_SYMBOL', 'RETRY_TIMES', 'EVENT_HANDLERS'].map((name) => Symbol.for(name));

/** An environment with the process's own globals; Jest's default creates new ones for every test file. */
export default class SharedEnvironment {
  global = globalThis;
  #before = REPLACED.map(([owner, name]) => owner[name]);

  constructor({ projectConfig }) {
    this.moduleMocker = new ModuleMocker(globalThis);
    this.fakeTimersModern = new ModernFakeTimers({ config: projectConfig, global: globalThis });
  }

  async setup() {}

  /** Restores the process for the worker's next test file. */
  async teardown() {
    this.fakeTimersModern.dispose();
    for (const [index, [owner, name]] of REPLACED.entries()) owner[name] = this.#before[index];
    for (const name of KEPT) delete globalThis[name];
  }

  exportConditions() {
    return ['node', 'node-addons'];
  }

  /** Returns null, because only Jest's own loader needs a context. */
  getVmContext() {
    return null;
  }
}
