import { AuditEntryResponse } from '../../audit/dto/audit-entry.response.js';
import { MailedTokenResponse } from '../../auth/dto/mailed-token.response.js';
import { SessionResponse } from '../../auth/dto/session.response.js';
import { EventResponse } from '../../feed/dto/event.response.js';
import { ResourceResponse } from '../../resources/dto/resource.response.js';
import { UserResponse } from '../../users/dto/user.response.js';

/** All that is held about one person, as one document. */
export class PersonalDataResponse {
  account: UserResponse;

  /** Where the account is signed in */
  sessions: SessionResponse[];

  /** Tokens that were mailed and have not expired long ago */
  mailed_tokens: MailedTokenResponse[];

  /** What the account owns, oldest first */
  resources: ResourceResponse[];

  /** Resources that it gave or was given, oldest first; they are among the events as well */
  transfers: EventResponse[];

  /** What happened to the account, oldest first */
  events: EventResponse[];

  /** What was done by the person, or to the account, newest first; what is personal of others is null */
  audit_entries: AuditEntryResponse[];
}
