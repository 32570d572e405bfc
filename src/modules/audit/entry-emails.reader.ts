import { Injectable } from '@nestjs/common';
import type { Principal } from '../../common/authorization/principal.types.js';
import { UsersService } from '../users/users.service.js';
import type { EncryptedEntry } from './audit-entries.repository.js';

/** Addresses by the id of their user. */
export type EmailsById = ReadonlyMap<string, string>;

/**
 * Reads the addresses that are shown beside the ids in entries. Entries never contain them, because an entry cannot be
 * changed when its user is erased.
 */
@Injectable()
export class EntryEmailsReader {
  constructor(private readonly users: UsersService) {}

  /** Returns the addresses of the actors and targets whom the caller may read. */
  async find(entries: readonly EncryptedEntry[], caller: Principal): Promise<EmailsById> {
    if (!caller.permissions.has('users:read')) return new Map();
    const ids = entries.flatMap((entry) => [entry.actorId, targetUserOf(entry)]).filter((id) => id !== null);
    return this.users.findVisibleEmails([...new Set(ids)], caller);
  }
}

/** Returns the id of the user whom the action concerned, or null for another kind of target. */
export const targetUserOf = ({ targetType, targetId }: EncryptedEntry): string | null =>
  targetType === 'user' ? targetId : null;
