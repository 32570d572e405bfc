import { type FileHandle, open, readFile, rename, rm, writeFile } from 'node:fs/promises';
import { CliError, EXIT } from './exit.js';

const REMEMBER_EVERY_MS = 1000;

/** Where an export that broke off goes on. */
export interface Place {
  /** What was asked for, in the words of the query: to go on, it has to be the same. */
  readonly asked: string;
  /** Where the connection began that brought the last rows, and how many it brought whole. */
  readonly cursor: string;
  readonly received: number;
  /** Of the whole export so far, and how many bytes they are in the file. */
  readonly rows: number;
  readonly bytes: number;
}

/** `<file>.part` while an export comes, with its place beside it: whoever asks for the same again goes on from there. */
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

  /** @throws CliError when what is there was asked for otherwise */
  static async open(path: string, asked: string, restart: boolean): Promise<PartFile> {
    const place = restart ? null : await readPlace(placeOf(path));
    if (place && place.asked !== asked) {
      throw new CliError(`${path}.part was begun with other options: --restart begins anew`, EXIT.usage);
    }
    const file = await open(`${path}.part`, place ? 'r+' : 'w');
    // What came after the last place that is known comes again.
    await file.truncate(place?.bytes ?? 0);
    return new PartFile(path, file, place);
  }

  /** Rows of a connection that began at `cursor`, whole ones. */
  async add(bytes: Buffer, place: Omit<Place, 'bytes'>): Promise<void> {
    const at = this.place?.bytes ?? 0;
    await this.file.write(bytes, 0, bytes.length, at);
    this.place = { ...place, bytes: at + bytes.length };
    if (performance.now() - this.rememberedAt > REMEMBER_EVERY_MS) await this.remember();
  }

  /** Its rows are in the file before it says so. */
  async remember(): Promise<void> {
    if (!this.place) return;
    this.rememberedAt = performance.now();
    await this.file.datasync();
    await writeFile(`${placeOf(this.path)}.new`, JSON.stringify(this.place), { mode: 0o600 });
    await rename(`${placeOf(this.path)}.new`, placeOf(this.path));
  }

  /** It is whole: the file has its name from now on. */
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
    throw new CliError(`${path} cannot be read: --restart begins anew`, EXIT.usage, { cause: error });
  }
}
