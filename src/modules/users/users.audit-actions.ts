export const userAuditActions = [
  'user.create',
  'user.update',
  'user.password_reset',
  'user.disable',
  'user.enable',
  'user.roles_change',
  'user.delete',
  'user.restore',
  'user.erase',
  'user.recover',
] as const;
