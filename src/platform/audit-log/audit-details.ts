import type { AuditReason } from './audit.types.js';

/** Old and new values, keyed by the field's name in the API. */
export type AuditChanges = Readonly<Record<string, { readonly from: unknown; readonly to: unknown }>>;

/** The details of an entry that are encrypted under the user's key. */
export interface AuditDetails {
  readonly changes: AuditChanges | null;
  readonly reason: AuditReason | null;
}

/**
 * Encodes the details of an entry. Stores the reason among the changes, so that the bytes covered by a seal
 * keep their format. A service that does not know reasons shows it as a change from nothing.
 */
export function packDetails(details: {
  readonly changes?: AuditChanges;
  readonly reason?: AuditReason;
}): AuditChanges | undefined {
  const { changes, reason } = details;
  return reason === undefined ? changes : { ...changes, reason: { from: null, to: reason } };
}

/** Decodes the result of {@link packDetails}. `reasons` are those that an entry can have. */
export function unpackDetails(packed: AuditChanges | null, reasons: readonly AuditReason[]): AuditDetails {
  const reason = reasons.find((each) => each === packed?.['reason']?.to);
  if (!packed || reason === undefined) return { changes: packed, reason: null };
  const { reason: _, ...changes } = packed;
  return { changes: Object.keys(changes).length === 0 ? null : changes, reason };
}
