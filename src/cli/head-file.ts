import { createHash } from 'node:crypto';
import { readFile } from 'node:fs/promises';
import { CliError, EXIT_CODES, usageError } from './cli.error.js';

const FORMAT = 'gatehouse audit seal 1';
const HASH = /^[0-9a-f]{64}$/;

/** A seal of the audit log, as far as the client compares it. */
export interface Seal {
  readonly number: number;
  readonly hash: string;
}

/** The fields that the hash of a seal covers. A head that was written down by hand has only number and hash. */
interface Statement {
  readonly position?: unknown;
  readonly entries?: unknown;
  readonly root?: unknown;
  readonly previous?: unknown;
  readonly sealed_at?: unknown;
  readonly kid?: unknown;
}

/** Reads a saved head. @throws CliError when the file contains none, or one whose fields do not produce its hash */
export async function readHead(path: string): Promise<Seal> {
  const text = await readFile(path, 'utf8');
  const head = parseHead(text);
  if (!head) throw usageError(`${path} is not a head saved with --save-head`);
  if (isDamaged(head))
    throw new CliError(
      `${path}: the head file is damaged: its fields do not produce its hash`,
      EXIT_CODES.usage,
    );
  return { number: head.number, hash: head.hash };
}

function parseHead(text: string): (Seal & Statement) | null {
  try {
    const head = JSON.parse(text) as Seal & Statement;
    return Number.isSafeInteger(head.number) && typeof head.hash === 'string' ? head : null;
  } catch {
    return null;
  }
}

/** Returns true unless the hash is the one that the guide to the audit log defines over the other fields. */
function isDamaged({ number, hash, ...fields }: Seal & Statement): boolean {
  const { position, entries, root, previous, sealed_at: sealedAt, kid } = fields;
  const others = [position, entries, root, previous, sealedAt, kid];
  if (others.every((value) => value === undefined)) return false;
  const hashes = [root, previous].map(String);
  if (!hashes.every((each) => HASH.test(each))) return true;
  const parts = [
    ...[FORMAT, number, position, entries].map((value) => Buffer.from(String(value))),
    ...hashes.map((each) => Buffer.from(each, 'hex')),
    ...[sealedAt, kid].map((value) => Buffer.from(String(value))),
  ];
  const digest = createHash('sha256');
  for (const part of parts) {
    const length = Buffer.alloc(4);
    length.writeUInt32BE(part.length);
    digest.update(length).update(part);
  }
  return digest.digest('hex') !== hash;
}
