export const roleAuditActions = ['role.update'] as const;
