import { execFileSync } from 'node:child_process';
import { closeSync, mkdtempSync, openSync, rmSync } from 'node:fs';
import { open } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

/** The size of libuv's thread pool. */
const THREADS = Number(process.env['UV_THREADPOOL_SIZE'] ?? 4);

/**
 * Blocks every thread of this process's pool on a pipe that has no writer. Native work such as argon2's waits
 * behind them for as long as a test wants, while JavaScript and sockets continue. Connections to the database
 * must exist beforehand, because their handshake also needs a thread.
 */
export class HeldThreads {
  private released: Promise<void> | null = null;

  private constructor(
    private readonly folder: string,
    private readonly pipe: string,
    private readonly readers: readonly ReturnType<typeof open>[],
  ) {}

  static take(): HeldThreads {
    const folder = mkdtempSync(join(tmpdir(), 'gatehouse-threads-'));
    const pipe = join(folder, 'pipe');
    execFileSync('mkfifo', [pipe]);
    return new HeldThreads(
      folder,
      pipe,
      Array.from({ length: THREADS }, () => open(pipe, 'r')),
    );
  }

  /** Releases the threads. A second call does nothing. */
  release(): Promise<void> {
    this.released ??= this.letGo();
    return this.released;
  }

  private async letGo(): Promise<void> {
    // Also opened for reading, because a writer alone would block until a reader arrives.
    const writer = openSync(this.pipe, 'r+');
    for (const reader of await Promise.all(this.readers)) await reader.close();
    closeSync(writer);
    rmSync(this.folder, { recursive: true });
  }
}
