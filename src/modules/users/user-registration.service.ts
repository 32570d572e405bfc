import { Injectable } from '@nestjs/common';
import { canonicalEmail } from '../../common/email-address.js';
import { AppError } from '../../common/errors/app.error.js';
import { newId } from '../../common/ids.js';
import type { Config } from '../../config/config.js';
import { InjectConfig } from '../../config/config.module.js';
import { PasswordHasher } from '../../platform/crypto/passwords/password.hasher.js';
import { UnitOfWork } from '../../platform/database/transactions/unit-of-work.js';
import { UserHistory } from './history/user.history.js';
import { type UserEventMail, userEventTypes } from './events/user.event.js';
import { BreachedPasswordsService } from './passwords/breached-passwords.service.js';
import { checkPassword } from './passwords/password.policy.js';
import { userSortKeys } from './listing/user-sort-keys.js';
import type { User } from './user.entity.js';
import { type NewUser, UsersRepository } from './users.repository.js';

/** The data of a user who is about to be registered. */
export interface Registration {
  readonly email: string;
  readonly name: string;
  /** Null for a user who chooses a password later. */
  readonly password: string | null;
  readonly locale: string;
  readonly roles: readonly string[];
  readonly emailVerified?: boolean;
  /** True for a password that the operator configured or the service made. It is not compared with breaches. */
  readonly isFromOperator?: true;
}

/** Registers new users. */
@Injectable()
export class UserRegistration {
  constructor(
    @InjectConfig() private readonly config: Config,
    private readonly repository: UsersRepository,
    private readonly hasher: PasswordHasher,
    private readonly breachedPasswords: BreachedPasswordsService,
    private readonly history: UserHistory,
    private readonly unitOfWork: UnitOfWork,
  ) {}

  /**
   * Hashes the password before any row is locked or connection taken, because hashing is slow.
   * @throws AppError `VALIDATION_ERROR`
   */
  async prepare(registration: Registration): Promise<NewUser> {
    const { email, name, password, locale, ...rights } = registration;
    const passwordHash = password === null ? null : await this.hashPassword({ ...registration, password });
    return {
      id: newId(),
      ...userSortKeys(name, email),
      email,
      emailKey: canonicalEmail(email),
      name,
      locale,
      passwordHash,
      roles: rights.roles.toSorted(),
      emailVerified: rights.emailVerified ?? false,
    };
  }

  /**
   * Inserts the user within a unit of work.
   * @param mail the mail that the user gets
   * @throws AppError `CONFLICT` when the address is taken
   */
  async insert(user: NewUser, mail: UserEventMail = 'usual'): Promise<User> {
    const inserted = await this.repository.insert(user);
    if (!inserted) throw new AppError('CONFLICT', { message: 'This email address is taken' });
    await this.history.record(null, inserted, [userEventTypes.created], { mail });
    return inserted;
  }

  private async hashPassword(chosen: Registration & { readonly password: string }): Promise<string> {
    const { email, name, password, isFromOperator } = chosen;
    const refusal = checkPassword({ email, name, password, product: this.config.PRODUCT_NAME });
    if (refusal) throw AppError.invalid('password', refusal);
    return this.unitOfWork.outside(async () => {
      if (!isFromOperator) await this.breachedPasswords.assertNotBreached(password, 'password', null);
      return this.hasher.hash(password);
    });
  }
}
