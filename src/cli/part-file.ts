import { access, constants, type FileHandle, open, readFile, rename, rm, writeFile } from 'node:fs/promises';
import { dirname } from 'node:path';
import { CliError, describeFileError, EXIT_CODES } from './cli.error.js';

const SAVE_INTERVAL_MS = 1000;

/** The point at which an interrupted export resumes. */
export interface ResumePoint {
  /** The export's query. An export resumes only with the same query. */
  readonly query: string;
  /** The cursor at which the last connection began. */
  readonly cursor: string;
  /** The number of complete rows received over that connection. */
  readonly received: number;
  /** The number of rows of the whole export so far. */
  readonly rows: number;
  /** The size of these rows in the file. */
  readonly bytes: number;
}

/**
 * The file `<file>.part` during an export, with its resume point in a file next to it. The same command
 * resumes from there.
 */
export class PartFile {
  resumePoint: ResumePoint | null;
  private savedAt = 0;

  private constructor(
    private readonly path: string,
    /** Null until the first byte of a new file. */
    private file: FileHandle | null,
    place: ResumePoint | null,
  ) {
    this.resumePoint = place;
  }

  /**
   * Opens an existing file to resume. A new one begins with its first byte, so that a refused export leaves no trace.
   * @throws CliError when the existing one belongs to another query, or the folder cannot be written
   */
  static async open(path: string, asked: string, restart: boolean): Promise<PartFile> {
    const place = restart ? null : await readResumePoint(resumePointPath(path));
    if (place && place.query !== asked) {
      throw new CliError(
        `${path}.part belongs to an export with other options; start over with --restart`,
        EXIT_CODES.usage,
      );
    }
    if (!place) {
      await access(dirname(path), constants.W_OK);
      return new PartFile(path, null, null);
    }
    const file = await open(`${path}.part`, 'r+');
    // Discards bytes after the last known resume point, because they are sent again.
    await file.truncate(place.bytes);
    return new PartFile(path, file, place);
  }

  /** Appends complete rows of the connection that began at `cursor`. */
  async add(bytes: Buffer, place: Omit<ResumePoint, 'bytes'>): Promise<void> {
    if (bytes.length === 0 && this.file === null) return;
    const at = this.resumePoint?.bytes ?? 0;
    const file = await this.begin();
    await file.write(bytes, 0, bytes.length, at);
    this.resumePoint = { ...place, bytes: at + bytes.length };
    if (performance.now() - this.savedAt > SAVE_INTERVAL_MS) await this.saveResumePoint();
  }

  /** Flushes the rows before it saves the resume point. */
  async saveResumePoint(): Promise<void> {
    if (!this.resumePoint || !this.file) return;
    this.savedAt = performance.now();
    await this.file.datasync();
    await writeFile(`${resumePointPath(this.path)}.new`, JSON.stringify(this.resumePoint), { mode: 0o600 });
    await rename(`${resumePointPath(this.path)}.new`, resumePointPath(this.path));
  }

  /** Renames the complete file to its final name. */
  async complete(): Promise<void> {
    const file = await this.begin();
    await file.datasync();
    await file.close();
    await rename(`${this.path}.part`, this.path);
    await rm(resumePointPath(this.path), { force: true });
  }

  async close(): Promise<void> {
    await this.saveResumePoint();
    await this.file?.close();
  }

  private async begin(): Promise<FileHandle> {
    try {
      this.file ??= await open(`${this.path}.part`, 'w');
      return this.file;
    } catch (error) {
      // An error of the file is no lost connection, after which the export would go on.
      throw describeFileError(error);
    }
  }
}

const resumePointPath = (path: string): string => `${path}.part.json`;

async function readResumePoint(path: string): Promise<ResumePoint | null> {
  try {
    return JSON.parse(await readFile(path, 'utf8')) as ResumePoint;
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return null;
    throw new CliError(`${path} cannot be read; start over with --restart`, EXIT_CODES.usage, {
      cause: error,
    });
  }
}
