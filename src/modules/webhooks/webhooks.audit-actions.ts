export const webhookAuditActions = [
  'webhook.create',
  'webhook.update',
  'webhook.delete',
  'webhook.rotate_secret',
  'webhook.replay',
  'webhook.redeliver',
  'webhook.test',
] as const;
