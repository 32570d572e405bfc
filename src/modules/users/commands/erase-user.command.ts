import { Command, CommandHandler, type ICommandHandler } from '@nestjs/cqrs';
import type { Principal } from '../../../common/authorization/principal.types.js';
import { AppError } from '../../../common/errors/app.error.js';
import type { Preconditions } from '../../../common/http/preconditions/preconditions.decorator.js';
import { AuditIpUsers } from '../../../platform/audit-log/audit-ip-users.service.js';
import { UserEncryptionKeys } from '../../../platform/crypto/user-encryption-keys.service.js';
import { UnitOfWork } from '../../../platform/database/transactions/unit-of-work.js';
import { UserHistory } from '../history/user.history.js';
import { UserAuthorityPolicy } from '../user-authority.policy.js';
import { ErasureLog } from '../erasure/erasure.log.js';
import { userEventTypes } from '../events/user.event.js';
import { UsersRepository } from '../users.repository.js';

/**
 * Makes the personal data of a user permanently unreadable. Blanks the row and destroys the key that encrypts
 * the user's history. The caller must be allowed to see deleted users.
 * @throws AppError `NOT_FOUND`, also for an erased user
 * @throws AppError `FORBIDDEN` for a user who holds a permission that the caller lacks
 * @throws AppError `CONFLICT` for a user who is not deleted
 */
export class EraseUser extends Command<void> {
  constructor(
    readonly id: string,
    /** The caller, or null when the service itself erases the user. */
    readonly caller: Principal | null,
    /**
     * Erases the user in any status, because the user was erased before and a backup brought the row back.
     */
    readonly again = false,
    readonly condition: Preconditions | null = null,
  ) {
    super();
  }
}

@CommandHandler(EraseUser)
export class EraseUserHandler implements ICommandHandler<EraseUser> {
  constructor(
    private readonly repository: UsersRepository,
    private readonly authority: UserAuthorityPolicy,
    private readonly keys: UserEncryptionKeys,
    private readonly auditIps: AuditIpUsers,
    private readonly history: UserHistory,
    private readonly log: ErasureLog,
    private readonly unitOfWork: UnitOfWork,
  ) {}

  async execute({ id, caller, again, condition }: EraseUser): Promise<void> {
    await this.unitOfWork.run(async () => {
      const user = caller
        ? await this.authority.lockManageable(id, caller)
        : await this.repository.findByIdForUpdate(id);
      if (!user) throw new AppError('NOT_FOUND');
      condition?.assertWrite(user);
      if (user.status !== 'deleted' && !again) {
        throw new AppError('CONFLICT', { message: 'This user is not deleted. Delete the user first' });
      }
      const erased = await this.repository.erase(user);
      await this.keys.destroy(id);
      // Comes after the key, because its destruction waits for every write that still uses it.
      await this.auditIps.deleteOfUser(id);
      await this.history.record(user, erased, [userEventTypes.erased]);
      await this.log.enqueue(id, erased.updatedAt);
    });
  }
}
