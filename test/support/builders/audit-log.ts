import { generateKeyPairSync, type KeyObject, randomBytes, randomUUID } from 'node:crypto';
import { toJwk } from '../../../src/modules/audit/proofs/key-set.js';
import { leafHash, type StoredEntry } from '../../../src/modules/audit/proofs/leaf.js';
import { rootOf } from '../../../src/modules/audit/proofs/merkle-tree.js';
import {
  NO_PREVIOUS_SEAL,
  type SealStatement,
  signSeal,
  type StoredSeal,
} from '../../../src/modules/audit/proofs/seal.js';
import type { SealedBlock } from '../../../src/modules/audit/proofs/verify-audit-log.js';

/** An entry as a sign-in might write it, at that place in the order. */
export const entryAt = (seq: number, more: Partial<StoredEntry> = {}): StoredEntry => ({
  epoch: 1,
  xid: '700',
  seq: String(seq),
  id: randomUUID(),
  occurred_at: new Date(Date.UTC(2026, 0, 1) + seq),
  actor_type: 'user',
  actor_id: randomUUID(),
  session_id: null,
  action: 'auth.login',
  target_type: null,
  target_id: null,
  outcome: 'success',
  request_id: `request-${seq}`,
  trace_id: null,
  origin_key: randomUUID(),
  origin_sealed: randomBytes(20),
  changes_key: null,
  changes_sealed: null,
  reason: null,
  ip_digest: null,
  ...more,
});

export interface AuditKey {
  readonly kid: string;
  readonly x: string;
  readonly privateKey: KeyObject;
}

export function makeAuditKey(): AuditKey {
  const { publicKey, privateKey } = generateKeyPairSync('ed25519');
  const { kid, x } = toJwk(publicKey);
  return { kid, x, privateKey };
}

/** Creates a correctly signed seal over these entries that follows `last`. */
export function sealOver(
  entries: readonly StoredEntry[],
  last: StoredSeal | undefined,
  { kid, privateKey }: AuditKey,
  more: Partial<SealStatement> = {},
): StoredSeal {
  const leafHashes = entries.map(leafHash);
  const { epoch = 1, xid = '1', seq = '1' } = entries.at(-1) ?? {};
  const statement = {
    number: (last?.number ?? 0) + 1,
    position: { epoch, xid, seq },
    entries: entries.length,
    root: rootOf(leafHashes),
    previous: last?.hash ?? NO_PREVIOUS_SEAL,
    sealedAt: new Date(Date.UTC(2026, 0, 2)),
    kid,
    ...more,
  };
  return { ...signSeal(statement, privateKey), leafHashes };
}

/** Creates an audit log of `seals` seals over `each` entries each. */
export function makeAuditLog(seals: number, each: number, key: AuditKey): SealedBlock[] {
  const blocks: SealedBlock[] = [];
  for (let number = 1; number <= seals; number++) {
    const entries = Array.from({ length: each }, (_, index) => entryAt(number * 100 + index));
    blocks.push({ entries, seal: sealOver(entries, blocks.at(-1)?.seal ?? undefined, key) });
  }
  return blocks;
}
