export const flagAuditActions = ['flag.set'] as const;
