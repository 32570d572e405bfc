import { setImmediate as breathe } from 'node:timers/promises';
import { Injectable } from '@nestjs/common';
import { AppError } from '../../common/errors/app-error.js';
import { Sealer } from '../../platform/crypto/sealer.js';
import { ImportReader, type NumberedRow } from './import-format.js';
import { ImportPiecesRepository, type Piece } from './import-pieces.repository.js';

/** The maximum number of lines in one import. */
export const MAX_LINES = 1_000_000;
/** The number of lines imported in one transaction, which takes a fraction of a second. */
const PIECE_LINES = 500;

/** Stores the lines of a body until they are imported, encrypted with the master key. */
@Injectable()
export class Staging {
  constructor(
    private readonly pieces: ImportPiecesRepository,
    private readonly sealer: Sealer,
  ) {}

  /**
   * Reads as fast as PostgreSQL accepts the lines and holds one chunk in memory.
   * @returns the number of lines
   * @throws AppError `PAYLOAD_TOO_LARGE` past {@link MAX_LINES}, or `VALIDATION_ERROR`. Some lines are staged
   * by then
   */
  async stage(jobId: string, body: AsyncIterable<Buffer>, isCsv: boolean): Promise<number> {
    const reader = new ImportReader(isCsv);
    let staged = 0;
    let gathered: NumberedRow[] = [];
    const put = async () => {
      if (gathered.length === 0) return;
      const piece = { jobId, firstIndex: staged };
      const plain = Buffer.from(JSON.stringify(gathered));
      await this.pieces.insert(piece, gathered.length, this.sealer.seal(plain, purposeOf(piece)));
      staged += gathered.length;
      gathered = [];
      // Yields to other requests.
      await breathe();
    };
    const gather = async (chunk: Buffer, isLast: boolean) => {
      for (const row of reader.take(chunk, isLast)) {
        if (staged + gathered.length >= MAX_LINES) {
          throw new AppError('PAYLOAD_TOO_LARGE', {
            message: `An import may contain at most ${MAX_LINES} users. Split the file`,
          });
        }
        gathered.push(row);
        if (gathered.length === PIECE_LINES) await put();
      }
    };
    for await (const chunk of body) await gather(chunk, false);
    await gather(Buffer.alloc(0), true);
    await put();
    return staged;
  }

  /** Decrypts the lines of a chunk. Returns null once the chunk is settled. */
  async open(piece: Piece): Promise<NumberedRow[] | null> {
    const sealed = await this.pieces.findSealed(piece);
    return sealed && (JSON.parse(this.sealer.open(sealed, purposeOf(piece)).toString()) as NumberedRow[]);
  }
}

const purposeOf = ({ jobId, firstIndex }: Piece): string => `import:${jobId}:${firstIndex}`;
