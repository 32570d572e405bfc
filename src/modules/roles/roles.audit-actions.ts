export const roleAuditActions = ['role.update', 'role.delete'] as const;
