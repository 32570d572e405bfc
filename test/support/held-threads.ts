import { execFileSync } from 'node:child_process';
import { closeSync, mkdtempSync, openSync, rmSync } from 'node:fs';
import { open } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

/** What libuv has unless it is told otherwise. */
const THREADS = Number(process.env['UV_THREADPOOL_SIZE'] ?? 4);

/**
 * Every thread of this process's pool, each waiting at a pipe that nobody has opened for writing: native
 * work, as argon2's, stands still behind them for as long as a test wants, while JavaScript and sockets
 * go on. Connections to the database have to be there before: their handshake needs a thread as well.
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

  /** Lets go; once more does nothing. */
  release(): Promise<void> {
    this.released ??= this.letGo();
    return this.released;
  }

  private async letGo(): Promise<void> {
    // For reading too: as a writer alone it would wait itself for a reader that has not got so far.
    const writer = openSync(this.pipe, 'r+');
    for (const reader of await Promise.all(this.readers)) await reader.close();
    closeSync(writer);
    rmSync(this.folder, { recursive: true });
  }
}
