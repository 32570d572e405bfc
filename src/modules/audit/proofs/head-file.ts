import { z } from 'zod';
import type { KeptHead } from './verify-audit-log.js';

const schema = z.object({
  number: z.int().min(1),
  hash: z.string().regex(/^[0-9a-f]{64}$/),
  public_key: z.object({ x: z.string().regex(/^[A-Za-z0-9_-]{43}$/) }).optional(),
});

export interface HeadFile extends KeptHead {
  /** The key of the head. Null for a number and a hash alone, as in the log. */
  readonly key: { readonly x: string } | null;
}

/** Parses a stored response of `GET /api/audit/seals/latest`. @throws when the text is anything else */
export function parseHeadFile(text: string): HeadFile {
  const { number, hash, public_key: key = null } = schema.parse(JSON.parse(text));
  return { number, hash: Buffer.from(hash, 'hex'), key };
}
