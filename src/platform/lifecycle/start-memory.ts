import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';

/** The growth after which V8 collects the old generation, in percent of its size after the last collection. */
const GARBAGE_PERCENT = 30;

/**
 * Returns the memory used by the start, about 30 MB, to the system. An idle process allocates almost nothing,
 * so V8 sees no reason to collect. Only a last-resort collection also returns the emptied pages.
 */
export function releaseStartMemory(): void {
  setFlagsFromString('--expose-gc');
  const collect: unknown = runInNewContext('gc');
  setFlagsFromString('--no-expose-gc');
  if (typeof collect !== 'function') return;
  Reflect.apply(collect, undefined, [{ type: 'major', execution: 'sync', flavor: 'last-resort' }]);
}

/**
 * Makes V8 collect the old generation sooner than after it has doubled (ADR 63). During the start, when nothing is
 * garbage yet, this would only cost time.
 */
export function limitGarbage(): void {
  setFlagsFromString(`--heap-growing-percent=${GARBAGE_PERCENT}`);
}
