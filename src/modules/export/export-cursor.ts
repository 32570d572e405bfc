import { hash, timingSafeEqual } from 'node:crypto';
import { Injectable } from '@nestjs/common';
import { AppError } from '../../common/errors/app-error.js';
import { KeyedDigest } from '../../platform/crypto/keyed-digest.js';

/** How far an export has come. */
export interface ExportPosition {
  /** Of the last row that was sent; the nil UUID before the first. */
  readonly id: string;
  /** Rows sent so far, by all connections. */
  readonly count: number;
}

/** Where a cursor goes on: so many rows after a position. */
export interface ExportPlace {
  readonly exportId: string;
  readonly position: ExportPosition;
  readonly rows: number;
}

export const BEGINNING: ExportPosition = { id: '00000000-0000-0000-0000-000000000000', count: 0 };

/** Whose export of what: a cursor holds for nothing else. */
export interface ExportScope {
  readonly kind: string;
  readonly userId: string;
  readonly filters: Readonly<Record<string, string | undefined>>;
  readonly fields: readonly string[];
}

/** Rows whose cursors are made at once. */
const BLOCK_ROWS = 64;
const TAG_BYTES = 18;
/** In base64, without padding because their bytes are a multiple of three. */
const TAG_LENGTH = (TAG_BYTES / 3) * 4;

const UUID = '[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}';
const CURSOR = new RegExp(
  `^(${UUID})\\.(${UUID})\\.(0|[1-9]\\d{0,14})\\.(0|[1-9]\\d?)\\.([\\w-]{${TAG_LENGTH}})$`,
);

/** Makes and reads the cursors of exports: nobody but the service can make one. */
@Injectable()
export class ExportCursors {
  constructor(private readonly digest: KeyedDigest) {}

  /** Of one export: the cursors of the rows that follow a position. */
  writer(exportId: string, scope: ExportScope): (position: ExportPosition) => CursorBlock {
    const key = this.keyOf(exportId, scope);
    return (position) => new CursorBlock(key, exportId, position);
  }

  /** @throws AppError `VALIDATION_ERROR` for one that was edited, or made for another export or caller: `foreign` */
  read(cursor: string, scope: ExportScope, foreign: AppError): ExportPlace {
    const [, exportId, id, count, rows] = CURSOR.exec(cursor) ?? [];
    if (exportId === undefined || id === undefined) throw foreign;
    const place = { exportId, position: { id, count: Number(count) }, rows: Number(rows) };
    if (place.rows >= BLOCK_ROWS) throw foreign;
    const expected = this.writer(exportId, scope)(place.position).cursorOf(place.rows);
    // Of the same length: all but the tag was taken from it.
    if (!timingSafeEqual(Buffer.from(cursor), Buffer.from(expected))) throw foreign;
    return place;
  }

  private keyOf(exportId: string, { kind, userId, filters, fields }: ExportScope): string {
    const given = Object.entries(filters).filter(([, value]) => value !== undefined);
    const scope = JSON.stringify([given.toSorted(([a], [b]) => (a < b ? -1 : 1)), fields]);
    return this.digest.of('export cursor', [exportId, kind, userId, scope]).toString('hex');
  }
}

/**
 * The cursors of a position and of the rows that follow it. Their tags are one output of SHAKE256 over key and
 * position, cut in pieces: a row has its cursor for a fiftieth of what a MAC of its own takes.
 */
export class CursorBlock {
  /** What all of them begin with. */
  readonly prefix: string;
  private readonly tags: string;

  constructor(key: string, exportId: string, { id, count }: ExportPosition) {
    this.prefix = `${exportId}.${id}.${count}.`;
    this.tags = hash('shake256', key + this.prefix, {
      outputEncoding: 'base64url',
      outputLength: BLOCK_ROWS * TAG_BYTES,
    });
  }

  has(row: number): boolean {
    return row < BLOCK_ROWS;
  }

  /** What the cursor after so many rows ends with. */
  suffixOf(row: number): string {
    return `${row}.${this.tags.slice(row * TAG_LENGTH, (row + 1) * TAG_LENGTH)}`;
  }

  cursorOf(row: number): string {
    return this.prefix + this.suffixOf(row);
  }
}
