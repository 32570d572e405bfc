import { AuditEntryResponse } from '../../audit/dto/audit-entry.response.js';
import { MailedTokenResponse } from '../../auth/dto/mailed-token.response.js';
import { SessionResponse } from '../../auth/dto/session.response.js';
import { EventResponse } from '../../events/dto/event.response.js';
import { ResourceResponse } from '../../resources/dto/resource.response.js';
import { UserResponse } from '../../users/dto/user.response.js';
import { UserDeliveryResponse } from '../../webhooks/dto/delivery.response.js';

/** All data held about one person, as one document. */
export class PersonalDataResponse {
  account: UserResponse;

  /** The user's active sessions */
  sessions: SessionResponse[];

  /** The mailed tokens that are valid or expired recently */
  mailed_tokens: MailedTokenResponse[];

  /** The resources that the user owns, oldest first */
  resources: ResourceResponse[];

  /** The transfers of resources from or to the user, oldest first. `events` contains them too */
  transfers: EventResponse[];

  /** The events of the user, oldest first */
  events: EventResponse[];

  /** The deliveries of the user’s events to webhooks in the last 30 days, oldest first */
  webhook_deliveries: UserDeliveryResponse[];

  /** The keys of the feature flags that list the user
   * @example ["export"] */
  flags: string[];

  /** The audit entries with the user as actor or target, newest first. Personal data of other users is null */
  audit_entries: AuditEntryResponse[];
}
