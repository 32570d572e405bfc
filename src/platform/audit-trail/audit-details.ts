import { type AuditReason, auditReasons } from './audit-actions.js';

/** From what to what, by the name of the field on the wire. */
export type AuditChanges = Readonly<Record<string, { readonly from: unknown; readonly to: unknown }>>;

/** The details of an entry that are encrypted under the user's key. */
export interface AuditDetails {
  readonly changes: AuditChanges | null;
  readonly reason: AuditReason | null;
}

/**
 * Encodes the details of an entry. The reason travels among the changes: the bytes of an entry in the seals
 * stay as they are, and a service that knows no reasons shows it as a change from nothing.
 */
export function packDetails(details: {
  readonly changes?: AuditChanges;
  readonly reason?: AuditReason;
}): AuditChanges | undefined {
  const { changes, reason } = details;
  return reason === undefined ? changes : { ...changes, reason: { from: null, to: reason } };
}

/** Decodes what {@link packDetails} encoded. */
export function unpackDetails(packed: AuditChanges | null): AuditDetails {
  const reason = auditReasons.find((each) => each === packed?.['reason']?.to);
  if (!packed || reason === undefined) return { changes: packed, reason: null };
  const { reason: _, ...changes } = packed;
  return { changes: Object.keys(changes).length === 0 ? null : changes, reason };
}
