export const webhookPermissions = ['webhooks:manage'] as const;
