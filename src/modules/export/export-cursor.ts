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

export const BEGINNING: ExportPosition = { id: '00000000-0000-0000-0000-000000000000', count: 0 };

/** Whose export of what: a cursor holds for nothing else. */
export interface ExportScope {
  readonly kind: string;
  readonly userId: string;
  readonly filters: Readonly<Record<string, string | undefined>>;
  readonly fields: readonly string[];
}

const UUID = '[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}';
const CURSOR = new RegExp(`^(${UUID})\\.(${UUID})\\.(0|[1-9]\\d{0,14})\\.([\\w-]{22})$`);
const MAC_LENGTH = 22;

/** Makes and reads the cursors of exports: nobody but the service can make one. */
@Injectable()
export class ExportCursors {
  constructor(private readonly digest: KeyedDigest) {}

  /** Of one export: a function of the position. */
  writer(exportId: string, scope: ExportScope): (position: ExportPosition) => string {
    const key = this.keyOf(exportId, scope);
    return ({ id, count }) => `${exportId}.${id}.${count}.${macOf(key, id, count)}`;
  }

  /** @throws AppError `VALIDATION_ERROR` for one that was edited, or made for another export or caller */
  read(cursor: string, scope: ExportScope): { exportId: string; position: ExportPosition } {
    const [, exportId, id, digits, mac] = CURSOR.exec(cursor) ?? [];
    if (exportId === undefined || id === undefined || mac === undefined) throw foreign();
    const count = Number(digits);
    const expected = macOf(this.keyOf(exportId, scope), id, count);
    if (!timingSafeEqual(Buffer.from(mac), Buffer.from(expected))) throw foreign();
    return { exportId, position: { id, count } };
  }

  private keyOf(exportId: string, { kind, userId, filters, fields }: ExportScope): string {
    const given = Object.entries(filters).filter(([, value]) => value !== undefined);
    const scope = JSON.stringify([given.toSorted(([a], [b]) => (a < b ? -1 : 1)), fields]);
    return this.digest.of('export cursor', [exportId, kind, userId, scope]).toString('hex');
  }
}

/**
 * One is made for each row, so it has to be quick: a fifth of what an HMAC takes. The key comes first and
 * half of the hash is kept back, so nobody can go on from one to that of a longer text.
 */
const macOf = (key: string, id: string, count: number): string =>
  hash('sha256', `${key}${id}${count}`, 'base64url').slice(0, MAC_LENGTH);

const foreign = (): AppError => AppError.invalid('after', 'after is not a cursor of this export');
