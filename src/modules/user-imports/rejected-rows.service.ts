import { Injectable } from '@nestjs/common';
import { Cipher } from '../../platform/crypto/cipher.service.js';
import type { Job, RejectedFile } from '../jobs/job-registry.service.js';
import { UsersService } from '../users/users.service.js';
import type { ImportedRow } from './import.writer.js';
import { CSV, type ImportForm, JSON_ARRAY, NDJSON } from './import.reader.js';
import {
  ImportChunksRepository,
  type ImportChunkKey,
  type LineResult,
  type RejectedChunk,
} from './import-chunks.repository.js';
import { parametersOf } from './import-options.js';
import { packBytes, unpackBytes } from './packed-bytes.js';

/** The number of chunks in memory at once while they are sent. */
const PAGE = 4;
const EXTENSIONS = { [NDJSON]: 'ndjson', [JSON_ARRAY]: 'json', [CSV]: 'csv' } as const;
const LF = Buffer.from('\n');

/**
 * A row without a user: its place in the chunk, its address, the size of its line (0 without a line), and the user who
 * had the address. The previous release kept no such user.
 */
type KeptHead = readonly [place: number, email: string | null, sizeBytes: number, holderId?: string | null];

interface KeptRow {
  readonly place: number;
  readonly email: string | null;
  /** The user who had the address; null when nobody had it. */
  readonly holderId: string | null;
  /** The bytes of the line; null for a row that was not rejected, or was too long. */
  readonly bytes: Buffer | null;
}

/**
 * Keeps the rows of an import that led to no user, encrypted with the master key, until a day after the job
 * ended. The results show the addresses of these rows only until then. The rejected rows can be downloaded. Rows with
 * the address of a user who has been erased since are not shown.
 */
@Injectable()
export class RejectedRows {
  constructor(
    private readonly chunks: ImportChunksRepository,
    private readonly cipher: Cipher,
    private readonly users: UsersService,
  ) {}

  /** Encrypts the rows of a chunk that led to no user. Returns null when every row did. */
  encrypt(chunk: ImportChunkKey, rows: readonly ImportedRow[]): Buffer | null {
    const kept = [...rows.entries()].flatMap(([place, { id, error, email, holderId, bytes }]) =>
      id === null
        ? [{ place, email, holderId, bytes: error && bytes && bytes.length > 0 ? bytes : null }]
        : [],
    );
    if (kept.length === 0) return null;
    const head = kept.map(({ place, email, holderId, bytes }): KeptHead => [
      place,
      email,
      bytes?.length ?? 0,
      holderId,
    ]);
    const packed = packBytes(
      head,
      kept.flatMap(({ bytes }) => bytes ?? []),
    );
    return this.cipher.encrypt(packed, encryptionPurpose(chunk));
  }

  /** Returns the addresses of those of the rows that led to no user, by index. Empty once they are deleted. */
  async findEmails(jobId: string, rows: readonly LineResult[]): Promise<Map<number, string>> {
    if (rows.length === 0) return new Map();
    const wanted = new Set(rows.map(({ index }) => index));
    const chunks = await this.chunks.findRejected(jobId, [
      ...new Set(rows.map(({ firstIndex }) => firstIndex)),
    ]);
    const kept = chunks.flatMap((chunk) =>
      this.decrypt(jobId, chunk)
        .map((row) => ({ ...row, index: chunk.firstIndex + row.place }))
        .filter(({ index }) => wanted.has(index)),
    );
    const visible = await this.withoutErased(kept);
    return new Map(visible.flatMap(({ index, email }) => (email === null ? [] : [[index, email] as const])));
  }

  /**
   * Opens the rejected rows as a file in the form of the upload, in UTF-8. Lines that were too long are left out.
   * Returns null when they are no longer kept.
   */
  async open(job: Job): Promise<RejectedFile | null> {
    const form = parametersOf(job)?.form;
    if (!form) return null;
    if (job.failed > 0 && (await this.chunks.findRejectedAfter(job.id, -1, 1)).length === 0) return null;
    return {
      type: `${form.type}; charset=utf-8`,
      filename: `rejected-${job.id}.${EXTENSIONS[form.type]}`,
      content: contentOf(form, this.lines(job.id)),
    };
  }

  private async *lines(jobId: string): AsyncGenerator<Buffer> {
    for (let after = -1; ;) {
      const page = await this.chunks.findRejectedAfter(jobId, after, PAGE);
      const rejected = page
        .flatMap((chunk) => this.decrypt(jobId, chunk))
        .filter(({ bytes }) => bytes !== null);
      for (const { bytes } of await this.withoutErased(rejected)) if (bytes) yield bytes;
      const last = page.at(-1);
      if (!last) return;
      after = last.firstIndex;
    }
  }

  private async withoutErased<T extends KeptRow>(rows: readonly T[]): Promise<T[]> {
    const erased = await this.users.findErased([...new Set(rows.flatMap(({ holderId }) => holderId ?? []))]);
    return rows.filter(({ holderId }) => holderId === null || !erased.has(holderId));
  }

  private decrypt(jobId: string, { firstIndex, rejected }: RejectedChunk): KeptRow[] {
    const plain = this.cipher.decrypt(rejected, encryptionPurpose({ jobId, firstIndex }));
    return unpackBytes(plain, ([, , sizeBytes]: KeptHead) => sizeBytes).map(
      ([[place, email, , holderId = null], bytes]) => ({
        place,
        email,
        holderId,
        bytes: bytes.length > 0 ? bytes : null,
      }),
    );
  }
}

async function* contentOf(form: ImportForm, lines: AsyncIterable<Buffer>): AsyncGenerator<Buffer> {
  const isArray = form.type === JSON_ARRAY;
  if (isArray) yield Buffer.from('[');
  if (form.header) yield Buffer.from(`${form.header.columns.join(form.header.delimiter)}\n`);
  let isFirst = true;
  for await (const line of lines) {
    if (isArray) yield Buffer.concat([Buffer.from(isFirst ? '\n' : ',\n'), line]);
    else yield Buffer.concat([line, LF]);
    isFirst = false;
  }
  if (isArray) yield Buffer.from('\n]\n');
}

const encryptionPurpose = ({ jobId, firstIndex }: ImportChunkKey): string =>
  `import-rejected:${jobId}:${firstIndex}`;
