import { once } from 'node:events';
import { Worker } from 'node:worker_threads';
import type { StoredHash } from './hash.types.js';

export interface Verification {
  readonly hash: StoredHash;
  readonly spellings: readonly string[];
}

export type Verdict = { readonly matches: boolean } | { readonly error: unknown };

/**
 * Verifies hashes in threads of low priority, outside the thread pool that our own hashes, DNS and files
 * share. Each verification uses a thread, which is kept for the next one. The caller limits the number of
 * concurrent verifications.
 */
export class VerifierPool {
  private readonly idle: Worker[] = [];
  private readonly all = new Set<Worker>();

  /** Takes `niceness`, the number of steps by which the threads' priority is lower than the process's. */
  constructor(private readonly niceness: number) {}

  async verify(verification: Verification): Promise<boolean> {
    const thread = this.idle.pop() ?? this.start();
    try {
      const verdict = await ask(thread, verification);
      if ('error' in verdict) throw verdict.error;
      this.idle.push(thread);
      return verdict.matches;
    } catch (error) {
      await this.stop(thread);
      throw error;
    }
  }

  async close(): Promise<void> {
    await Promise.all([...this.all].map((thread) => this.stop(thread)));
  }

  private start(): Worker {
    const thread = new Worker(new URL('./verifier.worker.js', import.meta.url), {
      workerData: { niceness: this.niceness },
    });
    // The server keeps the process alive; a thread that waits for work must not.
    thread.unref();
    this.all.add(thread);
    return thread;
  }

  private async stop(thread: Worker): Promise<void> {
    this.all.delete(thread);
    await thread.terminate();
  }
}

async function ask(thread: Worker, verification: Verification): Promise<Verdict> {
  const settled = new AbortController();
  const { signal } = settled;
  try {
    // This rejects when the thread throws.
    const answer = once(thread, 'message', { signal }) as Promise<[Verdict]>;
    const end = once(thread, 'exit', { signal }).then(([code]) => {
      throw new Error(`a verifier thread ended with exit code ${String(code)}`);
    });
    thread.postMessage(verification, []);
    const [verdict] = await Promise.race([answer, end]);
    return verdict;
  } finally {
    settled.abort();
  }
}
