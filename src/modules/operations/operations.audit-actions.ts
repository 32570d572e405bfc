export const operationAuditActions = ['instance.set_log_level'] as const;
