import { platformAuditActions } from '../platform/audit-log/audit.types.js';
import { auditLogActions } from './audit/audit.audit-actions.js';
import {
  sessionAuditActions,
  signInAuditActions,
  signingKeyAuditActions,
} from './auth/auth.audit-actions.js';
import { signInRefusals } from './auth/auth.audit-reasons.js';
import { exportAuditActions } from './export/export.audit-actions.js';
import { flagAuditActions } from './flags/flags.audit-actions.js';
import { jobAuditActions } from './jobs/jobs.audit-actions.js';
import { operationAuditActions } from './operations/operations.audit-actions.js';
import { resourceAuditActions } from './resources/resources.audit-actions.js';
import { roleAuditActions } from './roles/roles.audit-actions.js';
import { userAuditActions } from './users/users.audit-actions.js';
import { webhookAuditActions } from './webhooks/webhooks.audit-actions.js';

/** Every audit action that the platform and the features declare, in the order in which the API documents them. */
export const auditActions = [
  ...signInAuditActions,
  ...userAuditActions,
  ...roleAuditActions,
  ...sessionAuditActions,
  ...resourceAuditActions,
  ...exportAuditActions,
  ...auditLogActions,
  ...platformAuditActions,
  ...flagAuditActions,
  ...webhookAuditActions,
  ...jobAuditActions,
  ...signingKeyAuditActions,
  ...operationAuditActions,
] as const;

/** Every reason for a refusal that the features declare. */
export const auditReasons = signInRefusals;

type DeclaredAuditActions = Readonly<Record<(typeof auditActions)[number], true>>;
type DeclaredAuditReasons = Readonly<Record<(typeof auditReasons)[number], true>>;

declare module '../platform/audit-log/audit.types.js' {
  interface AuditActionNames extends DeclaredAuditActions {}
  interface AuditReasonNames extends DeclaredAuditReasons {}
}
