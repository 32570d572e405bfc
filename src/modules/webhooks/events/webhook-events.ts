export const webhookEventTypes = {
  paused: 'webhook.paused',
  /** Delivered only to the webhook that it is about. A trigger of the database knows this name. */
  test: 'webhook.test',
} as const;
