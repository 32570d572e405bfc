import { sessionEventTypes } from './auth/events/sessions-revoked.event.js';
import { flagEventTypes } from './flags/events/flag-changed.event.js';
import { resourceEventTypes } from './resources/events/resource-events.js';
import { userEventTypes } from './users/events/user.event.js';
import { webhookEventTypes } from './webhooks/events/webhook-events.js';

/** Every event type that the features store, and so every type that the feed can contain. */
export const storedEventTypes: readonly string[] = [
  ...Object.values(userEventTypes),
  ...Object.values(sessionEventTypes),
  ...Object.values(resourceEventTypes),
  ...Object.values(flagEventTypes),
  ...Object.values(webhookEventTypes),
];
