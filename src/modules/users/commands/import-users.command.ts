import { Command, CommandHandler, type ICommandHandler } from '@nestjs/cqrs';
import { newId } from '../../../common/ids.js';
import { UnitOfWork } from '../../../platform/database/unit-of-work.js';
import { AccountHistory } from '../account-history.js';
import { foldedKeys } from '../user-keys.js';
import { UsersRepository } from '../users.repository.js';

/** An account as another system had it; each part was validated. */
export interface ForeignAccount {
  readonly email: string;
  /** Canonical. */
  readonly emailKey: string;
  readonly name: string;
  /** Null: none until a reset. */
  readonly passwordHash: string | null;
  readonly emailVerified: boolean;
  readonly disabled: boolean;
  readonly roles: readonly string[];
}

/**
 * Takes over some hundreds of accounts, as they are: nothing is hashed, nobody is mailed.
 * @returns their ids, in the order given: null where the address was taken, also by one before it
 */
export class ImportUsers extends Command<(string | null)[]> {
  constructor(readonly accounts: readonly ForeignAccount[]) {
    super();
  }
}

@CommandHandler(ImportUsers)
export class ImportUsersHandler implements ICommandHandler<ImportUsers> {
  constructor(
    private readonly repository: UsersRepository,
    private readonly history: AccountHistory,
    private readonly unitOfWork: UnitOfWork,
  ) {}

  execute({ accounts }: ImportUsers): Promise<(string | null)[]> {
    return this.unitOfWork.run(async () => {
      const users = accounts.map((account) => ({
        ...account,
        ...foldedKeys(account.name, account.email),
        id: newId(),
        roles: [...account.roles],
      }));
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

/** They are inserted in another order than they came in, in which another one might be first. */
function firstOfEachAddress<T extends { readonly emailKey: string }>(users: readonly T[]): T[] {
  const seen = new Set<string>();
  return users.filter(({ emailKey }) => !seen.has(emailKey) && seen.add(emailKey));
}
