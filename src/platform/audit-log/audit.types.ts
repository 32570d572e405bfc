/** The actions that the platform itself records: a refusal because the caller lacks a permission. */
export const platformAuditActions = ['permission.check'] as const;

/** The names of all audit actions, as keys. `src/modules/audit-actions.ts` adds those that the features declare. */
// oxlint-disable-next-line typescript/no-empty-object-type, typescript/no-empty-interface -- empty here because features add their names by declaration merging, which a type alias cannot do
export interface AuditActionNames {}

/** The action that an audit entry records. */
export type AuditAction = keyof AuditActionNames;

/** The outcomes of an action: `failure` means that it could not be done, `denied` that it was not allowed. */
export const auditOutcomes = ['success', 'failure', 'denied'] as const;

export type AuditOutcome = (typeof auditOutcomes)[number];

/** The names of all reasons for a refusal, as keys. `src/modules/audit-actions.ts` adds those that features declare. */
// oxlint-disable-next-line typescript/no-empty-object-type, typescript/no-empty-interface -- empty here because features add their names by declaration merging, which a type alias cannot do
export interface AuditReasonNames {}

/** The reason why something was refused. */
export type AuditReason = keyof AuditReasonNames;

/**
 * The kinds of actors. An `anonymous` actor came with an unauthenticated request; `system` is the service
 * itself.
 */
export const actorTypes = ['user', 'anonymous', 'system'] as const;

export type ActorType = (typeof actorTypes)[number];
