import { readlinkSync } from 'node:fs';
import { constants, getPriority, setPriority } from 'node:os';
import { parentPort } from 'node:worker_threads';
import { verifyPadded } from './foreign-hashes.js';
import type { Verification, Verdict } from './verifier-threads.js';

/** Steps of niceness. Sixteen lanes of argon2 then weigh less than two threads of normal priority. */
const NICER_BY = 10;

lowerPriority();
parentPort?.on('message', ({ hash, spellings }: Verification) => {
  void verifyPadded(hash, spellings).then(
    (matches) => answer({ matches }),
    (error: unknown) => answer({ error }),
  );
});

const answer = (verdict: Verdict): void => parentPort?.postMessage(verdict, []);

/**
 * Lowers the priority of this thread, and so of the threads that argon2 starts for its lanes. Linux alone
 * has a priority for each thread and this link to its id; elsewhere the priority stays as it is.
 */
function lowerPriority(): void {
  try {
    const thread = Number(readlinkSync('/proc/thread-self').split('/').at(-1));
    setPriority(thread, Math.min(getPriority(thread) + NICER_BY, constants.priority.PRIORITY_LOW));
  } catch {
    // The verification is correct at any priority.
  }
}
