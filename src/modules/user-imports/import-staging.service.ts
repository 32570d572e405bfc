import { setImmediate as breathe } from 'node:timers/promises';
import { Injectable } from '@nestjs/common';
import { AppError } from '../../common/errors/app.error.js';
import { Cipher } from '../../platform/crypto/cipher.service.js';
import { ImportReader, type ImportType, type NumberedRow } from './import.reader.js';
import { ImportChunksRepository, type ImportChunkKey } from './import-chunks.repository.js';

/** The maximum number of lines in one import. */
export const MAX_LINES = 1_000_000;
/**
 * The maximum size of a body in bytes, after it is expanded. This is 2 KB for each of {@link MAX_LINES} users,
 * several times what a user takes.
 */
export const MAX_BODY_BYTES = 2 * 1024 ** 3;
/** The number of lines imported in one transaction, which takes a fraction of a second. */
const CHUNK_LINES = 500;

/** Stores the lines of a body until they are imported, encrypted with the master key. */
@Injectable()
export class ImportStaging {
  constructor(
    private readonly chunks: ImportChunksRepository,
    private readonly cipher: Cipher,
  ) {}

  /**
   * Reads as fast as PostgreSQL accepts the lines and holds one chunk in memory.
   * @returns the number of lines
   * @throws AppError `PAYLOAD_TOO_LARGE` past {@link MAX_LINES} or {@link MAX_BODY_BYTES}, or
   * `VALIDATION_ERROR`. Some lines are staged by then
   */
  async stage(jobId: string, body: AsyncIterable<Buffer>, type: ImportType): Promise<number> {
    const reader = new ImportReader(type);
    let staged = 0;
    let sizeBytes = 0;
    let gathered: NumberedRow[] = [];
    const put = async () => {
      if (gathered.length === 0) return;
      const chunk = { jobId, firstIndex: staged };
      const plain = Buffer.from(JSON.stringify(gathered));
      await this.chunks.insert(chunk, gathered.length, this.cipher.encrypt(plain, encryptionPurpose(chunk)));
      staged += gathered.length;
      gathered = [];
      // Yields to other requests.
      await breathe();
    };
    const gather = async (chunk: Buffer, isLast: boolean) => {
      sizeBytes += chunk.length;
      if (sizeBytes > MAX_BODY_BYTES) throw tooLarge(`${MAX_BODY_BYTES} bytes`);
      for (const row of reader.push(chunk, isLast)) {
        if (staged + gathered.length >= MAX_LINES) throw tooLarge(`${MAX_LINES} users`);
        gathered.push(row);
        if (gathered.length === CHUNK_LINES) await put();
      }
    };
    for await (const chunk of body) await gather(chunk, false);
    await gather(Buffer.alloc(0), true);
    await put();
    return staged;
  }

  /** Decrypts the lines of a chunk. Returns null once the chunk is settled. */
  async readChunk(chunk: ImportChunkKey): Promise<NumberedRow[] | null> {
    const encrypted = await this.chunks.findEncryptedLines(chunk);
    return (
      encrypted &&
      (JSON.parse(this.cipher.decrypt(encrypted, encryptionPurpose(chunk)).toString()) as NumberedRow[])
    );
  }
}

const tooLarge = (limit: string): AppError =>
  new AppError('PAYLOAD_TOO_LARGE', { message: `An import may contain at most ${limit}. Split the file` });

const encryptionPurpose = ({ jobId, firstIndex }: ImportChunkKey): string => `import:${jobId}:${firstIndex}`;
