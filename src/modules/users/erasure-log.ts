import { open } from 'node:fs/promises';
import { join } from 'node:path';
import { Injectable, type OnModuleInit } from '@nestjs/common';
import { createFolder } from '../../common/folder.js';
import type { Config } from '../../config/config.js';
import { InjectConfig } from '../../config/config.module.js';
import { JobRunner } from '../../platform/jobs/job-runner.js';
import { Jobs } from '../../platform/jobs/jobs.js';

const LOG = 'users.log-erasure';
const FILE = 'erasures.log';
/** At the end of a line: before it may stand what a crash has left of another. */
const LINE = /\d{4}-\d\d-\d\dT[\d:.]{12}Z ([\da-f]{8}(?:-[\da-f]{4}){3}-[\da-f]{12})$/;

interface Erased {
  readonly id: string;
  readonly at: string;
}

/**
 * Who was erased, in a file apart from the database: a backup of that brings people back, and knows nothing
 * of their erasure. A line each, time and id. Written by a job, so that none is lost; one may stand there twice.
 */
@Injectable()
export class ErasureLog implements OnModuleInit {
  private readonly file: string;

  constructor(
    @InjectConfig() private readonly config: Config,
    private readonly jobs: Jobs,
    private readonly runner: JobRunner,
  ) {
    this.file = join(config.DATA_DIR, FILE);
  }

  onModuleInit(): void {
    this.runner.register(LOG, (erased) => this.append(erased as Erased));
  }

  /** In the unit of work that erases. */
  async enqueue(id: string, at: Date): Promise<void> {
    await this.jobs.enqueue(LOG, { id, at: at.toISOString() });
  }

  /** The ids, oldest first, a line at a time. None when there is no file. */
  async *ids(): AsyncGenerator<string> {
    const file = await open(this.file).catch((error: NodeJS.ErrnoException) => {
      if (error.code === 'ENOENT') return null;
      throw error;
    });
    if (!file) return;
    // It closes the file, however it ends.
    for await (const line of file.readLines()) {
      const id = LINE.exec(line)?.[1];
      if (id !== undefined) yield id;
    }
  }

  /** Makes the file if there is none. @returns why it cannot be written; null when it can */
  async findFault(): Promise<string | null> {
    try {
      await this.write('');
      return null;
    } catch (error) {
      return String(error);
    }
  }

  private async append({ id, at }: Erased): Promise<void> {
    await this.write(`${at} ${id}\n`);
  }

  /** It is on the disk when this ends. */
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

/** That a new file is there stands in its folder. Windows opens none, and writes it by itself. */
async function syncFolder(path: string): Promise<void> {
  if (process.platform === 'win32') return;
  const folder = await open(path);
  try {
    await folder.sync();
  } finally {
    await folder.close();
  }
}
