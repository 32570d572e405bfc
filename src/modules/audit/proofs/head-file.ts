import { z } from 'zod';
import { parsePosition } from '../../../common/event-position.js';
import { type SealStatement, sealHash } from './seal.js';
import type { KeptHead } from './verify-audit-log.js';

const hash = z.string().regex(/^[0-9a-f]{64}$/);

/** The fields that the hash covers, apart from the number. */
const statement = z.object({
  position: z.string().transform((text) => parsePosition(text)),
  entries: z.int(),
  root: hash,
  previous: hash,
  sealed_at: z.iso.datetime(),
  kid: z.string(),
});

const schema = z.object({
  number: z.int().min(1),
  hash,
  public_key: z.object({ x: z.string().regex(/^[A-Za-z0-9_-]{43}$/) }).optional(),
});

export interface HeadFile extends KeptHead {
  /** The key of the head. Null for a number and a hash alone, as in the log. */
  readonly key: { readonly x: string } | null;
}

/** The fields of a head do not produce its hash. */
export class DamagedHeadError extends Error {}

/** Parses a stored response of `GET /api/audit/seals/latest`. @throws DamagedHeadError, or another error when the text is anything else */
export function parseHeadFile(text: string): HeadFile {
  const content: unknown = JSON.parse(text);
  const { number, hash: hex, public_key: key = null } = schema.parse(content);
  const head = { number, hash: Buffer.from(hex, 'hex'), key };
  if (!isWhole(head, content as object))
    throw new DamagedHeadError('the head file is damaged: its fields do not produce its hash');
  return head;
}

/** Returns true for a number and a hash alone, and for fields that produce the hash. */
function isWhole({ number, hash: stored }: KeptHead, content: object): boolean {
  if (!Object.keys(statement.shape).some((name) => name in content)) return true;
  const { data: fields } = statement.safeParse(content);
  if (!fields?.position) return false;
  const stated: SealStatement = {
    number,
    position: fields.position,
    entries: fields.entries,
    root: Buffer.from(fields.root, 'hex'),
    previous: Buffer.from(fields.previous, 'hex'),
    sealedAt: new Date(fields.sealed_at),
    kid: fields.kid,
  };
  return sealHash(stated).equals(stored);
}
