import { hash, timingSafeEqual } from 'node:crypto';
import { Injectable } from '@nestjs/common';
import { AppError } from '../../common/errors/app.error.js';
import { NIL_UUID } from '../../common/ids.js';
import { KeyedDigestService } from '../../platform/crypto/keyed-digest.service.js';

/** The progress of an export. */
export interface ExportOffset {
  /** The id of the last row sent, or the nil UUID before the first row. */
  readonly id: string;
  /** The number of rows sent so far over all connections. */
  readonly count: number;
}

/** The point at which a cursor resumes: a number of rows after a position. */
export interface ResumePoint {
  readonly exportId: string;
  readonly position: ExportOffset;
  readonly rows: number;
}

export const START_OFFSET: ExportOffset = { id: NIL_UUID, count: 0 };

/** The scope of a cursor, which is valid only for this caller, kind, filters and fields. */
export interface ExportScope {
  readonly kind: string;
  readonly userId: string;
  readonly filters: Readonly<Record<string, string | undefined>>;
  readonly fields: readonly string[];
}

/** The number of rows whose cursors are computed at once. */
const BLOCK_ROWS = 64;
const TAG_BYTES = 18;
/** The tag length in base64, without padding because the byte length is a multiple of three. */
const TAG_LENGTH = (TAG_BYTES / 3) * 4;

const UUID = '[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}';
const CURSOR = new RegExp(
  `^(${UUID})\\.(${UUID})\\.(0|[1-9]\\d{0,14})\\.(0|[1-9]\\d?)\\.([\\w-]{${TAG_LENGTH}})$`,
);

/** Signs and verifies export cursors. Clients cannot forge one. */
@Injectable()
export class ExportCursorService {
  constructor(private readonly digest: KeyedDigestService) {}

  /** Returns a function that builds the cursors of the rows after a position of this export. */
  writer(exportId: string, scope: ExportScope): (position: ExportOffset) => CursorBlock {
    const key = this.keyOf(exportId, scope);
    return (position) => new CursorBlock(key, exportId, position);
  }

  /**
   * Parses and verifies a cursor.
   * @throws `foreign` for a cursor that was edited or belongs to another export or caller
   */
  read(cursor: string, scope: ExportScope, foreign: AppError): ResumePoint {
    const [, exportId, id, count, rows] = CURSOR.exec(cursor) ?? [];
    if (exportId === undefined || id === undefined) throw foreign;
    const place = { exportId, position: { id, count: Number(count) }, rows: Number(rows) };
    if (place.rows >= BLOCK_ROWS) throw foreign;
    const expected = this.writer(exportId, scope)(place.position).cursorOf(place.rows);
    // Both have the same length, because everything but the tag was taken from the cursor.
    if (!timingSafeEqual(Buffer.from(cursor), Buffer.from(expected))) throw foreign;
    return place;
  }

  private keyOf(exportId: string, { kind, userId, filters, fields }: ExportScope): string {
    const given = Object.entries(filters).filter(([, value]) => value !== undefined);
    const scope = JSON.stringify([given.toSorted(([a], [b]) => (a < b ? -1 : 1)), fields]);
    return this.digest.digest('export cursor', [exportId, kind, userId, scope]).toString('hex');
  }
}

/**
 * Computes the cursors of a position and of the rows after it. The tags are slices of one SHAKE256 output
 * over key and position, which costs a fiftieth of one MAC per row.
 */
export class CursorBlock {
  /** The common prefix of all cursors in the block. */
  readonly prefix: string;
  private readonly tags: string;

  constructor(key: string, exportId: string, { id, count }: ExportOffset) {
    this.prefix = `${exportId}.${id}.${count}.`;
    this.tags = hash('shake256', key + this.prefix, {
      outputEncoding: 'base64url',
      outputLength: BLOCK_ROWS * TAG_BYTES,
    });
  }

  has(row: number): boolean {
    return row < BLOCK_ROWS;
  }

  /** Returns the suffix of the cursor after `row` rows. */
  suffixOf(row: number): string {
    return `${row}.${this.tags.slice(row * TAG_LENGTH, (row + 1) * TAG_LENGTH)}`;
  }

  cursorOf(row: number): string {
    return this.prefix + this.suffixOf(row);
  }
}
