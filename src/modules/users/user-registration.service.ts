import { Injectable } from '@nestjs/common';
import { canonicalEmail } from '../../common/email-address.js';
import { AppError } from '../../common/errors/app.error.js';
import { newId } from '../../common/ids.js';
import { DEFAULT_LOCALE } from '../../common/locale.js';
import type { Config } from '../../config/config.js';
import { InjectConfig } from '../../config/config.module.js';
import { PasswordHasher } from '../../platform/crypto/passwords/password.hasher.js';
import { UnitOfWork } from '../../platform/database/transactions/unit-of-work.js';
import { UserHistory } from './history/user.history.js';
import type { CreateUserDto } from './dto/create-user.dto.js';
import { userEventTypes } from './events/user.event.js';
import { checkPassword } from './passwords/password.policy.js';
import { userSortKeys } from './listing/user-sort-keys.js';
import type { User } from './user.entity.js';
import { type NewUser, UsersRepository } from './users.repository.js';

/** Registers new users. */
@Injectable()
export class UserRegistration {
  constructor(
    @InjectConfig() private readonly config: Config,
    private readonly repository: UsersRepository,
    private readonly hasher: PasswordHasher,
    private readonly history: UserHistory,
    private readonly unitOfWork: UnitOfWork,
  ) {}

  /**
   * Hashes the password before any row is locked or connection taken, because hashing is slow.
   * @throws AppError `VALIDATION_ERROR`
   */
  async prepare({ email, name, password, locale }: CreateUserDto, roles: string[]): Promise<NewUser> {
    const refusal = checkPassword({ email, name, password, product: this.config.PRODUCT_NAME });
    if (refusal) throw AppError.invalid('password', refusal);
    return {
      id: newId(),
      ...userSortKeys(name, email),
      email,
      emailKey: canonicalEmail(email),
      name,
      locale: locale ?? DEFAULT_LOCALE,
      passwordHash: await this.unitOfWork.outside(() => this.hasher.hash(password)),
      roles,
    };
  }

  /** Inserts the user within a unit of work. @throws AppError `CONFLICT` when the address is taken */
  async insert(user: NewUser): Promise<User> {
    const inserted = await this.repository.insert(user);
    if (!inserted) throw new AppError('CONFLICT', { message: 'This email address is taken' });
    await this.history.record(null, inserted, [userEventTypes.created]);
    return inserted;
  }
}
