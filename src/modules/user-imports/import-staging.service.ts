import { setImmediate as breathe } from 'node:timers/promises';
import { Injectable } from '@nestjs/common';
import { AppError } from '../../common/errors/app.error.js';
import { Cipher } from '../../platform/crypto/cipher.service.js';
import { type ImportForm, ImportReader, type ImportType } from './import.reader.js';
import { type ReadRow, readImportRow } from './import-row.reader.js';
import { ImportChunksRepository, type ImportChunkKey } from './import-chunks.repository.js';
import type { Line } from './line.splitter.js';
import { packLines, unpackLines } from './staged-lines.js';

/** The maximum number of lines in one import. */
export const MAX_LINES = 1_000_000;
/**
 * The maximum size of a body in bytes, after it is expanded. This is 1 KB for each of {@link MAX_LINES} users,
 * several times what a user takes.
 */
export const MAX_BODY_BYTES = 1024 ** 3;
/** The number of lines imported in one transaction, which takes a fraction of a second. */
const CHUNK_LINES = 500;
/** The size in bytes from which a chunk is stored with fewer lines. It bounds the memory of an upload. */
const CHUNK_BYTES = 1024 * 1024;

/** A row of a staged line, with the bytes of the line; null when they are not known. */
export interface StagedRow extends ReadRow {
  readonly bytes: Buffer | null;
}

/** A whole file whose lines are staged. */
export interface StagedFile {
  readonly lines: number;
  readonly form: ImportForm;
}

/** Stores the lines of a body until they are imported, encrypted with the master key. */
@Injectable()
export class ImportStaging {
  constructor(
    private readonly chunks: ImportChunksRepository,
    private readonly cipher: Cipher,
  ) {}

  /**
   * Reads as fast as PostgreSQL accepts the lines and holds one chunk in memory.
   * @throws AppError `PAYLOAD_TOO_LARGE` past {@link MAX_LINES} or {@link MAX_BODY_BYTES}, or
   * `VALIDATION_ERROR`. Some lines are staged by then
   */
  async stage(jobId: string, body: AsyncIterable<Buffer>, type: ImportType): Promise<StagedFile> {
    const reader = new ImportReader(type);
    let staged = 0;
    let receivedBytes = 0;
    let gathered: Line[] = [];
    let gatheredBytes = 0;
    const put = async () => {
      if (gathered.length === 0) return;
      const chunk = { jobId, firstIndex: staged };
      const encrypted = this.cipher.encrypt(packLines(gathered), encryptionPurpose(chunk));
      await this.chunks.insert(chunk, gathered.length, encrypted);
      staged += gathered.length;
      gathered = [];
      gatheredBytes = 0;
      // Yields to other requests.
      await breathe();
    };
    const gather = async (received: Buffer, isLast: boolean) => {
      receivedBytes += received.length;
      if (receivedBytes > MAX_BODY_BYTES) throw tooLarge(`${MAX_BODY_BYTES / 1024 ** 3} GiB`);
      for (const line of reader.push(received, isLast)) {
        if (staged + gathered.length >= MAX_LINES) throw tooLarge(`${MAX_LINES} users`);
        gathered.push(line);
        gatheredBytes += line.bytes.length;
        if (gathered.length === CHUNK_LINES || gatheredBytes >= CHUNK_BYTES) await put();
      }
    };
    for await (const received of body) await gather(received, false);
    await gather(Buffer.alloc(0), true);
    await put();
    return { lines: staged, form: reader.form };
  }

  /**
   * Decrypts and reads the lines of a chunk. `form` is null for a chunk that the previous release staged.
   * Returns null once the chunk is settled.
   */
  async readChunk(chunk: ImportChunkKey, form: ImportForm | null): Promise<StagedRow[] | null> {
    const encrypted = await this.chunks.findEncryptedLines(chunk);
    if (!encrypted) return null;
    const plain = this.cipher.decrypt(encrypted, encryptionPurpose(chunk));
    if (!form) return parseFormerRows(plain);
    return unpackLines(plain).map((line) => ({ ...readImportRow(form, line), bytes: line.bytes }));
  }
}

/** Reads rows that the previous release (0.1.0) has parsed before it staged them. */
function parseFormerRows(plain: Buffer): StagedRow[] {
  const rows = JSON.parse(plain.toString()) as Pick<StagedRow, 'line' | 'row'>[];
  return rows.map(({ line, row }) => ({
    line,
    row,
    email: typeof row === 'string' ? null : row.email,
    bytes: null,
  }));
}

const tooLarge = (limit: string): AppError =>
  new AppError('PAYLOAD_TOO_LARGE', { message: `An import may contain at most ${limit}. Split the file` });

const encryptionPurpose = ({ jobId, firstIndex }: ImportChunkKey): string => `import:${jobId}:${firstIndex}`;
