export const resourceAuditActions = ['resource.create', 'resource.delete', 'resource.transfer'] as const;
