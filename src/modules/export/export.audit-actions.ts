export const exportAuditActions = ['export.run'] as const;
