import { createHash } from 'node:crypto';
import { type CursorScope, encodeCursor } from '../../src/common/pagination/cursor.js';

/**
 * A cursor that is right in all but its position, which may be anything: no checksum gives it away, so
 * that what refuses it is the judgement of the position itself. An honest position gives the very cursor
 * that the service would.
 */
export function forgeCursor(key: unknown, id: unknown, scope: CursorScope): string {
  const honest = encodeCursor({ key: '', id: '' }, scope);
  const [made] = JSON.parse(Buffer.from(honest, 'base64url').toString()) as [string];
  const sum = createHash('sha256')
    .update(JSON.stringify([made, key, id]))
    .digest('base64url')
    .slice(0, 16);
  return Buffer.from(JSON.stringify([made, key, id, sum])).toString('base64url');
}
