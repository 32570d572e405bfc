import { createHash } from 'node:crypto';
import { type CursorScope, encodeCursor } from '../../../src/common/pagination/cursor.js';

/**
 * Builds a cursor that is valid except for its position, which may be anything. The checksum is right, so
 * only the check of the position itself can reject it. An honest position gives exactly the service's cursor.
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
