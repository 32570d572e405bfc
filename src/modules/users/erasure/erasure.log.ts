import { open } from 'node:fs/promises';
import { join } from 'node:path';
import { Injectable, type OnModuleInit } from '@nestjs/common';
import { createFolder } from '../../../common/create-folder.js';
import { syncFolder } from '../../../common/sync-folder.js';
import type { Config } from '../../../config/config.js';
import { InjectConfig } from '../../../config/config.module.js';
import { TaskWorker } from '../../../platform/queue/task.worker.js';
import { TaskQueue } from '../../../platform/queue/task.queue.js';

const LOG_ERASURE_TASK = 'users.log-erasure';
const FILE_NAME = 'erasures.log';
/** Matches the end of a line, because a crash may have left part of another entry before it. */
const LINE = /\d{4}-\d\d-\d\dT[\d:.]{12}Z ([\da-f]{8}(?:-[\da-f]{4}){3}-[\da-f]{12})$/;

interface ErasureRecord {
  readonly id: string;
  readonly at: string;
}

/**
 * The log of all erasures, in a file outside the database, one line each with time and id. A restored
 * database backup brings erased users back and knows nothing of their erasure. A queued task writes each line
 * at least once, so a line may appear twice.
 */
@Injectable()
export class ErasureLog implements OnModuleInit {
  private readonly file: string;

  constructor(
    @InjectConfig() private readonly config: Config,
    private readonly queue: TaskQueue,
    private readonly worker: TaskWorker,
  ) {
    this.file = join(config.DATA_DIR, FILE_NAME);
  }

  onModuleInit(): void {
    this.worker.register(LOG_ERASURE_TASK, (erased) => this.append(erased as ErasureRecord));
  }

  /** Enqueues the log line in the unit of work that erases the user. */
  async enqueue(id: string, at: Date): Promise<void> {
    await this.queue.enqueue(LOG_ERASURE_TASK, { id, at: at.toISOString() });
  }

  /**
   * Yields the erased ids, oldest first, and reads one line at a time. Yields nothing when the file does not
   * exist.
   */
  async *ids(): AsyncGenerator<string> {
    const file = await open(this.file).catch((error: NodeJS.ErrnoException) => {
      if (error.code === 'ENOENT') return null;
      throw error;
    });
    if (!file) return;
    // The iterator closes the file, however the loop ends.
    for await (const line of file.readLines()) {
      const id = LINE.exec(line)?.[1];
      if (id !== undefined) yield id;
    }
  }

  /** Creates the file if it does not exist. @returns the reason why it cannot be written, or null */
  async findFault(): Promise<string | null> {
    try {
      await this.write('');
      return null;
    } catch (error) {
      return String(error);
    }
  }

  private async append({ id, at }: ErasureRecord): Promise<void> {
    await this.write(`${at} ${id}\n`);
  }

  /** Resolves once the line is on disk. */
  private async write(line: string): Promise<void> {
    const { DATA_DIR } = this.config;
    await createFolder(DATA_DIR);
    await writeAndSync(this.file, line);
    await syncFolder(DATA_DIR);
  }
}

async function writeAndSync(path: string, text: string): Promise<void> {
  const file = await open(path, 'a', 0o600);
  try {
    await file.appendFile(text);
    await file.sync();
  } finally {
    await file.close();
  }
}
