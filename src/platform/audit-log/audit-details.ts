import type { AuditReason } from './audit.types.js';

/** Old and new values, keyed by the field's name in the API. */
export type AuditChanges = Readonly<Record<string, { readonly from: unknown; readonly to: unknown }>>;

/** The changed values and the reason of an entry. */
export interface AuditDetails {
  readonly changes: AuditChanges | null;
  readonly reason: AuditReason | null;
}

/** Returns the fields that differ, for records in the API's spelling. Null stands for a record that does not exist. */
export function changesBetween(before: object | null, after: object | null): AuditChanges {
  const [old, now] = [before ?? {}, after ?? {}] as Readonly<Record<string, unknown>>[];
  const changes = Object.keys({ ...old, ...now }).map(
    (name) => [name, { from: old?.[name] ?? null, to: now?.[name] ?? null }] as const,
  );
  return Object.fromEntries(
    changes.filter(([, { from, to }]) => JSON.stringify(from) !== JSON.stringify(to)),
  );
}

/**
 * Returns the details of a stored entry. An entry of the first release stores its reason as a change from null.
 * `reasons` lists the reasons that such an entry can have.
 */
export function detailsOf(stored: AuditDetails, reasons: readonly AuditReason[]): AuditDetails {
  if (stored.reason !== null || stored.changes === null) return stored;
  const { reason: packed, ...changes } = stored.changes;
  const reason = reasons.find((each) => each === packed?.to);
  if (reason === undefined) return stored;
  return { changes: Object.keys(changes).length === 0 ? null : changes, reason };
}
