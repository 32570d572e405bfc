import { auditPermissions } from './audit/audit.permissions.js';
import { authPermissions } from './auth/auth.permissions.js';
import { exportPermissions } from './export/export.permissions.js';
import { feedPermissions } from './events/events.permissions.js';
import { flagPermissions } from './flags/flags.permissions.js';
import { jobPermissions } from './jobs/jobs.permissions.js';
import { operationPermissions } from './operations/operations.permissions.js';
import { resourcePermissions } from './resources/resources.permissions.js';
import { rolePermissions } from './roles/roles.permissions.js';
import { userPermissions } from './users/users.permissions.js';
import { webhookPermissions } from './webhooks/webhooks.permissions.js';

/** Every permission that the features declare, in the order in which the API documents them. */
export const permissions = [
  ...userPermissions,
  ...rolePermissions,
  ...authPermissions,
  ...auditPermissions,
  ...feedPermissions,
  ...exportPermissions,
  ...resourcePermissions,
  ...webhookPermissions,
  ...flagPermissions,
  ...jobPermissions,
  ...operationPermissions,
] as const;

type DeclaredPermissions = Readonly<Record<(typeof permissions)[number], true>>;

declare module '../common/authorization/permissions.js' {
  interface PermissionNames extends DeclaredPermissions {}
}
