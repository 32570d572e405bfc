export const userAuditActions = [
  'user.create',
  'user.update',
  'user.invite',
  'user.password_reset',
  'user.email_change',
  'user.disable',
  'user.enable',
  'user.roles_change',
  'user.delete',
  'user.restore',
  'user.erase',
  'user.recover',
] as const;
