import { readlinkSync } from 'node:fs';
import { constants, getPriority, setPriority } from 'node:os';
import { parentPort, workerData } from 'node:worker_threads';
import type { Verification, Verdict } from './verifier.pool.js';

const { niceness } = workerData as { readonly niceness: number };

lowerPriority();
// Loaded only now, because loading takes much of a core for a moment and must not take it from sign-ins.
const { verifyPadded } = await import('./verify-foreign-hash.js');
parentPort?.on('message', ({ hash, spellings }: Verification) => {
  void verifyPadded(hash, spellings).then(
    (matches) => answer({ matches }),
    (error: unknown) => answer({ error }),
  );
});

const answer = (verdict: Verdict): void => parentPort?.postMessage(verdict, []);

/**
 * Lowers the priority of this thread, and so of the threads that argon2 starts for its lanes. Only Linux has
 * a priority per thread and this link to its ID; elsewhere the priority stays unchanged.
 */
function lowerPriority(): void {
  try {
    const thread = Number(readlinkSync('/proc/thread-self').split('/').at(-1));
    setPriority(thread, Math.min(getPriority(thread) + niceness, constants.priority.PRIORITY_LOW));
  } catch {
    // The verification is correct at any priority.
  }
}
