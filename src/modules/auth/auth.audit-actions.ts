export const signInAuditActions = [
  'auth.login',
  'auth.refresh',
  'auth.logout',
  'auth.password_change',
  'auth.password_forgot',
  'auth.password_reset',
  'auth.email_change',
  'auth.reuse_detected',
] as const;

export const sessionAuditActions = ['session.revoke'] as const;

export const signingKeyAuditActions = ['key.rotate'] as const;
