import { type FileHandle, open, readFile, rename, rm, writeFile } from 'node:fs/promises';
import { CliError, EXIT } from './exit.js';

const REMEMBER_EVERY_MS = 1000;

/** The point at which an interrupted export resumes. */
export interface Place {
  /** The export's query. An export resumes only with the same query. */
  readonly asked: string;
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
  place: Place | null;
  private rememberedAt = 0;

  private constructor(
    private readonly path: string,
    private readonly file: FileHandle,
    place: Place | null,
  ) {
    this.place = place;
  }

  /** Opens or creates the file. @throws CliError when the existing one belongs to another query */
  static async open(path: string, asked: string, restart: boolean): Promise<PartFile> {
    const place = restart ? null : await readPlace(placeOf(path));
    if (place && place.asked !== asked) {
      throw new CliError(
        `${path}.part belongs to an export with other options; start over with --restart`,
        EXIT.usage,
      );
    }
    const file = await open(`${path}.part`, place ? 'r+' : 'w');
    // Discards bytes after the last known resume point, because they are sent again.
    await file.truncate(place?.bytes ?? 0);
    return new PartFile(path, file, place);
  }

  /** Appends complete rows of the connection that began at `cursor`. */
  async add(bytes: Buffer, place: Omit<Place, 'bytes'>): Promise<void> {
    const at = this.place?.bytes ?? 0;
    await this.file.write(bytes, 0, bytes.length, at);
    this.place = { ...place, bytes: at + bytes.length };
    if (performance.now() - this.rememberedAt > REMEMBER_EVERY_MS) await this.remember();
  }

  /** Flushes the rows before it saves the resume point. */
  async remember(): Promise<void> {
    if (!this.place) return;
    this.rememberedAt = performance.now();
    await this.file.datasync();
    await writeFile(`${placeOf(this.path)}.new`, JSON.stringify(this.place), { mode: 0o600 });
    await rename(`${placeOf(this.path)}.new`, placeOf(this.path));
  }

  /** Renames the complete file to its final name. */
  async complete(): Promise<void> {
    await this.file.datasync();
    await this.file.close();
    await rename(`${this.path}.part`, this.path);
    await rm(placeOf(this.path), { force: true });
  }

  async leave(): Promise<void> {
    await this.remember();
    await this.file.close();
  }
}

const placeOf = (path: string): string => `${path}.part.json`;

async function readPlace(path: string): Promise<Place | null> {
  try {
    return JSON.parse(await readFile(path, 'utf8')) as Place;
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return null;
    throw new CliError(`${path} cannot be read; start over with --restart`, EXIT.usage, { cause: error });
  }
}
