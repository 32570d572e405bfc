import { Injectable } from '@nestjs/common';
import { Cipher } from '../../platform/crypto/cipher.service.js';
import type { Job, RejectedFile } from '../jobs/job-registry.service.js';
import type { ImportedRow } from './import.writer.js';
import { CSV, type ImportForm, JSON_ARRAY, NDJSON } from './import.reader.js';
import {
  ImportChunksRepository,
  type ImportChunkKey,
  type RejectedChunk,
} from './import-chunks.repository.js';
import { parametersOf } from './import-options.js';
import { packBytes, unpackBytes } from './packed-bytes.js';

/** The number of chunks in memory at once while they are sent. */
const PAGE = 4;
const EXTENSIONS = { [NDJSON]: 'ndjson', [JSON_ARRAY]: 'json', [CSV]: 'csv' } as const;
const LF = Buffer.from('\n');

/** A row without a user: its place in the chunk, its address, and the size of its line; 0 without a line. */
type KeptHead = readonly [place: number, email: string | null, sizeBytes: number];

interface KeptRow {
  readonly place: number;
  readonly email: string | null;
  /** The bytes of the line; null for a row that was not rejected, or was too long. */
  readonly bytes: Buffer | null;
}

/**
 * Keeps the rows of an import that led to no user, encrypted with the master key, until a day after the job
 * ended. The results show the addresses of these rows only until then. The rejected rows can be downloaded.
 */
@Injectable()
export class RejectedRows {
  constructor(
    private readonly chunks: ImportChunksRepository,
    private readonly cipher: Cipher,
  ) {}

  /** Encrypts the rows of a chunk that led to no user. Returns null when every row did. */
  encrypt(chunk: ImportChunkKey, rows: readonly ImportedRow[]): Buffer | null {
    const kept = [...rows.entries()].flatMap(([place, { id, error, email, bytes }]) =>
      id === null ? [{ place, email, bytes: error && bytes && bytes.length > 0 ? bytes : null }] : [],
    );
    if (kept.length === 0) return null;
    const head = kept.map(({ place, email, bytes }): KeptHead => [place, email, bytes?.length ?? 0]);
    const packed = packBytes(
      head,
      kept.flatMap(({ bytes }) => bytes ?? []),
    );
    return this.cipher.encrypt(packed, encryptionPurpose(chunk));
  }

  /** Returns the addresses of rows without a user, by the index of the row. Empty once they are deleted. */
  async findEmails(jobId: string, firstIndexes: readonly number[]): Promise<Map<number, string>> {
    if (firstIndexes.length === 0) return new Map();
    const chunks = await this.chunks.findRejected(jobId, firstIndexes);
    return new Map(
      chunks.flatMap((chunk) =>
        this.decrypt(jobId, chunk).flatMap(({ place, email }) =>
          email === null ? [] : [[chunk.firstIndex + place, email] as const],
        ),
      ),
    );
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
      for (const chunk of page) {
        for (const { bytes } of this.decrypt(jobId, chunk)) if (bytes) yield bytes;
      }
      const last = page.at(-1);
      if (!last) return;
      after = last.firstIndex;
    }
  }

  private decrypt(jobId: string, { firstIndex, rejected }: RejectedChunk): KeptRow[] {
    const plain = this.cipher.decrypt(rejected, encryptionPurpose({ jobId, firstIndex }));
    return unpackBytes(plain, ([, , sizeBytes]: KeptHead) => sizeBytes).map(([[place, email], bytes]) => ({
      place,
      email,
      bytes: bytes.length > 0 ? bytes : null,
    }));
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
