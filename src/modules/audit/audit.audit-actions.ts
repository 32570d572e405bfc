export const auditLogActions = ['audit.read', 'audit.verify', 'audit.retention'] as const;
