import { Command, CommandHandler, type ICommandHandler } from '@nestjs/cqrs';
import { newId } from '../../../common/ids.js';
import { DEFAULT_LOCALE } from '../../../common/locale.js';
import { UnitOfWork } from '../../../platform/database/transactions/unit-of-work.js';
import { DEFAULT_ROLE } from '../../roles/roles.service.js';
import { UserHistory } from '../history/user.history.js';
import { userSortKeys } from '../listing/user-sort-keys.js';
import { UsersRepository } from '../users.repository.js';

/** A user taken from another system, already validated. Null stands for a value that was not given. */
export interface ImportedUser {
  readonly email: string;
  /** The address in canonical form. */
  readonly emailKey: string;
  /** Defaults to the local part of the address. */
  readonly name: string | null;
  /** Defaults to `en`. Absent in rows that an earlier version of the service staged. */
  readonly locale?: string | null;
  /** The stored hash, or null for a user without a password until a reset. */
  readonly passwordHash: string | null;
  /** Defaults to false. */
  readonly emailVerified: boolean | null;
  /** Defaults to false. */
  readonly disabled: boolean | null;
  /** Defaults to {@link DEFAULT_ROLES}. */
  readonly roles: readonly string[] | null;
  /** The time at which the other system created the user, in ISO 8601. Defaults to the time of the import. */
  readonly createdAt: string | null;
}

/** The roles of an imported user without any. */
export const DEFAULT_ROLES: readonly string[] = [DEFAULT_ROLE];

/**
 * Imports a batch of some hundred users without hashing passwords or sending mail.
 * @returns the ids in input order, with null where the address was taken, also by an earlier user of the
 * batch
 */
export class ImportUsers extends Command<(string | null)[]> {
  constructor(readonly users: readonly ImportedUser[]) {
    super();
  }
}

@CommandHandler(ImportUsers)
export class ImportUsersHandler implements ICommandHandler<ImportUsers> {
  constructor(
    private readonly repository: UsersRepository,
    private readonly history: UserHistory,
    private readonly unitOfWork: UnitOfWork,
  ) {}

  execute({ users: imported }: ImportUsers): Promise<(string | null)[]> {
    return this.unitOfWork.run(async () => {
      const users = imported.map(toNewUser);
      const inserted = await this.repository.insertAll(firstOfEachAddress(users));
      const times = new Map(inserted.map(({ id, updatedAt }) => [id, updatedAt]));
      const created = users.flatMap((user) => {
        const updatedAt = times.get(user.id);
        const status = user.disabled ? ('disabled' as const) : ('active' as const);
        return updatedAt === undefined ? [] : [{ ...user, status, updatedAt }];
      });
      if (created.length > 0) await this.history.recordCreated(created);
      return users.map(({ id }) => (times.has(id) ? id : null));
    });
  }
}

/** Adds the defaults. The local part of an address is a valid name. */
function toNewUser(user: ImportedUser) {
  const name = user.name ?? user.email.slice(0, user.email.indexOf('@'));
  return {
    ...user,
    ...userSortKeys(name, user.email),
    id: newId(),
    name,
    locale: user.locale ?? DEFAULT_LOCALE,
    emailVerified: user.emailVerified ?? false,
    disabled: user.disabled ?? false,
    roles: [...(user.roles ?? DEFAULT_ROLES)],
  };
}

/** Keeps the first user of each address. The insert sorts by address and might otherwise keep another one. */
function firstOfEachAddress<T extends { readonly emailKey: string }>(users: readonly T[]): T[] {
  const seen = new Set<string>();
  return users.filter(({ emailKey }) => !seen.has(emailKey) && seen.add(emailKey));
}
