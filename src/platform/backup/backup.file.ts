import { createHash, randomUUID } from 'node:crypto';
import { createReadStream, createWriteStream } from 'node:fs';
import { access, open, rename, rm } from 'node:fs/promises';
import { dirname } from 'node:path';
import { pipeline } from 'node:stream/promises';
import { constants, createGunzip, createGzip } from 'node:zlib';
import { syncFolder } from '../../common/sync-folder.js';
import { HEADER_BYTES, BackupCipher } from './backup.cipher.js';
import { BackupFileError } from './backup-file.error.js';
import {
  type BackupManifest,
  type BackupOpening,
  parseClosing,
  parseOpening,
  parseTableEnd,
  type TableEnd,
} from './backup-manifest.js';
import { type BackupRecord, decodeRecords } from './backup-records.js';

/** COPY data of rows repeats itself: level 1 halves it for less time than the smaller file saves at a disk or network. */
const COMPRESSION = { level: constants.Z_BEST_SPEED };
const READ_BYTES = 256 * 1024;
const PRIVATE = 0o600;

export interface WriteOptions {
  readonly passphrase: string;
  /** Aborts the writing, which leaves nothing behind. */
  readonly signal?: AbortSignal;
}

/**
 * Writes records to a new file, compressed and encrypted. The file appears under its name when all of it is on disk, and
 * never replaces another one.
 * @throws BackupFileError when a file of that name exists
 */
export async function writeBackupFile(
  path: string,
  records: AsyncIterable<Buffer>,
  { passphrase, signal }: WriteOptions,
): Promise<void> {
  if (await exists(path)) throw alreadyExists(path);
  const cipher = await BackupCipher.create(passphrase);
  const draft = `${path}.${randomUUID()}.part`;
  const file = createWriteStream(draft, { flags: 'wx', mode: PRIVATE, flush: true });
  try {
    file.write(cipher.header);
    await pipeline(
      records,
      createGzip(COMPRESSION),
      (packed: AsyncIterable<Buffer>) => cipher.encrypt(packed),
      file,
      {
        ...(signal && { signal }),
      },
    );
    await moveIntoPlace(draft, path);
  } catch (error) {
    await rm(draft, { force: true });
    throw error;
  }
}

/** Takes the name first, because a rename would replace a file that has appeared since. */
async function moveIntoPlace(draft: string, path: string): Promise<void> {
  try {
    await (await open(path, 'wx', PRIVATE)).close();
  } catch (error) {
    throw (error as NodeJS.ErrnoException).code === 'EEXIST' ? alreadyExists(path) : error;
  }
  await rename(draft, path);
  await syncFolder(dirname(path));
}

const alreadyExists = (path: string): BackupFileError =>
  new BackupFileError(`${path} exists already, and a backup never replaces a file`, path);

const exists = (path: string): Promise<boolean> =>
  access(path).then(
    () => true,
    () => false,
  );

export interface BackupReadOptions {
  /** Receives the number of bytes of the file that were read so far. */
  readonly progress?: (bytes: number) => void;
  readonly signal?: AbortSignal;
}

/** A file with a backup. Its errors name the file. */
export class BackupFile {
  private constructor(
    readonly path: string,
    private readonly cipher: BackupCipher,
  ) {}

  /** @throws BackupFileError when the file is no backup or has another passphrase */
  static async open(path: string, passphrase: string): Promise<BackupFile> {
    return named(path, async () => {
      const file = await open(path);
      try {
        const { buffer, bytesRead } = await file.read(Buffer.alloc(HEADER_BYTES), 0, HEADER_BYTES, 0);
        return new BackupFile(path, await BackupCipher.open(buffer.subarray(0, bytesRead), passphrase));
      } finally {
        await file.close();
      }
    });
  }

  /** Yields the records, each proven by the passphrase. */
  async *records({ progress, signal }: BackupReadOptions = {}): AsyncGenerator<BackupRecord> {
    const { cipher, path } = this;
    const file = createReadStream(path, { start: HEADER_BYTES, highWaterMark: READ_BYTES });
    const unpacked = createGunzip();
    const read = pipeline(
      file,
      (encrypted: AsyncIterable<Buffer>) => cipher.decrypt(counting(encrypted, progress)),
      unpacked,
      { ...(signal && { signal }) },
    );
    // The reader of `unpacked` gets the same error.
    read.catch(() => undefined);
    try {
      yield* decodeRecords(unpacked as AsyncIterable<Buffer>);
      await read;
    } catch (error) {
      throw BackupFileError.in(path, error);
    } finally {
      unpacked.destroy();
      await read.catch(() => undefined);
    }
  }

  /**
   * Reads the whole file and compares every table with its digest, without a database.
   * @throws BackupFileError for anything that a whole backup does not contain
   */
  async check(options: BackupReadOptions = {}): Promise<BackupManifest> {
    const checker = new BackupChecker();
    for await (const record of this.records(options)) {
      try {
        checker.accept(record);
      } catch (error) {
        throw BackupFileError.in(this.path, error);
      }
    }
    return named(this.path, async () => checker.finish());
  }
}

/** Puts the file's name before the message of its fault. */
async function named<T>(path: string, work: () => Promise<T>): Promise<T> {
  try {
    return await work();
  } catch (error) {
    throw BackupFileError.in(path, error);
  }
}

async function* counting(
  source: AsyncIterable<Buffer>,
  progress: ((bytes: number) => void) | undefined,
): AsyncGenerator<Buffer> {
  let read = HEADER_BYTES;
  for await (const bytes of source) {
    read += bytes.length;
    progress?.(read);
    yield bytes;
  }
}

/** Compares the records of a backup with what they say about each other. */
export class BackupChecker {
  private opening: BackupOpening | null = null;
  private readonly contents: TableEnd[] = [];
  private hash = createHash('sha256');
  private bytes = 0;
  private closed = false;

  accept({ kind, body }: BackupRecord): void {
    if (this.closed || (this.opening === null) !== (kind === 'opening'))
      throw new BackupFileError('is out of order');
    if (kind === 'opening') this.opening = parseOpening(body);
    else if (kind === 'data') {
      this.hash.update(body);
      this.bytes += body.length;
    } else if (kind === 'tableEnd') this.endTable(parseTableEnd(body));
    else this.close(parseClosing(body).tables);
  }

  finish(): BackupManifest {
    if (!this.opening || !this.closed) throw new BackupFileError('is not complete');
    return { ...this.opening, contents: this.contents };
  }

  private endTable(end: TableEnd): void {
    const expected = this.opening?.tables[this.contents.length]?.name;
    if (end.name !== expected || end.bytes !== this.bytes || end.sha256 !== this.hash.digest('hex')) {
      throw new BackupFileError(`does not hold the rows of ${expected ?? end.name} that it describes`);
    }
    this.contents.push(end);
    this.hash = createHash('sha256');
    this.bytes = 0;
  }

  private close(tables: readonly TableEnd[]): void {
    const complete = this.contents.length === this.opening?.tables.length && this.bytes === 0;
    if (!complete || JSON.stringify(tables) !== JSON.stringify(this.contents)) {
      throw new BackupFileError('does not hold the tables that it describes');
    }
    this.closed = true;
  }
}
