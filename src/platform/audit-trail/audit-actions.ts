/** The actions in the audit log, each named by its object and what was done to it. */
export const auditActions = [
  'auth.login',
  'auth.refresh',
  'auth.logout',
  'auth.password_change',
  'auth.password_forgot',
  'auth.password_reset',
  'auth.email_change',
  'auth.reuse_detected',
  'user.create',
  'user.update',
  'user.disable',
  'user.enable',
  'user.roles_change',
  'user.delete',
  'user.restore',
  'user.erase',
  'role.update',
  'session.revoke',
  'resource.create',
  'resource.delete',
  'resource.transfer',
  'export.run',
  'audit.read',
  'audit.verify',
  'audit.retention',
  'permission.check',
  'job.create',
  'job.cancel',
  'key.rotate',
] as const;

export type AuditAction = (typeof auditActions)[number];

/** The outcomes of an action: `failure` means that it could not be done, `denied` that it was not allowed. */
export const auditOutcomes = ['success', 'failure', 'denied'] as const;

export type AuditOutcome = (typeof auditOutcomes)[number];

/** The causes of a refused sign-in. The service did not check the password of a `throttled` attempt. */
export const auditReasons = ['wrong_password', 'unknown_user', 'disabled', 'throttled'] as const;

export type AuditReason = (typeof auditReasons)[number];

/**
 * The kinds of actors. An `anonymous` actor came with an unauthenticated request; `system` is the service
 * itself.
 */
export const actorTypes = ['user', 'anonymous', 'system'] as const;

export type ActorType = (typeof actorTypes)[number];
