import { ModernFakeTimers } from '@jest/fake-timers';
import { ModuleMocker } from 'jest-mock';

/** What Jest puts something of its own in place of, for one test file. */
const REPLACED = [
  [globalThis, 'console'],
  [process, 'exit'],
  [process, 'getBuiltinModule'],
];
/** Where Jest keeps what one test file has asked for. */
const KEPT = ['TEST_TIMEOUT_SYMBOL', 'RETRY_TIMES', 'EVENT_HANDLERS'].map((name) => Symbol.for(name));

/** The globals of the process itself, where Jest's own environment makes new ones for every test file. */
export default class SharedEnvironment {
  global = globalThis;
  #before = REPLACED.map(([owner, name]) => owner[name]);

  constructor({ projectConfig }) {
    this.moduleMocker = new ModuleMocker(globalThis);
    this.fakeTimersModern = new ModernFakeTimers({ config: projectConfig, global: globalThis });
  }

  async setup() {}

  /** Leaves the process to the worker's next test file as this one has found it. */
  async teardown() {
    this.fakeTimersModern.dispose();
    for (const [index, [owner, name]] of REPLACED.entries()) owner[name] = this.#before[index];
    for (const name of KEPT) delete globalThis[name];
  }

  exportConditions() {
    return ['node', 'node-addons'];
  }

  /** Only Jest's own loader would need one. */
  getVmContext() {
    return null;
  }
}
