export const jobAuditActions = ['job.create', 'job.cancel'] as const;
