import { Command, CommandHandler, type ICommandHandler } from '@nestjs/cqrs';
import { DEFAULT_LOCALE } from '../../../common/locale.js';
import { UnitOfWork } from '../../../platform/database/transactions/unit-of-work.js';
import { DEFAULT_ROLE } from '../../roles/roles.service.js';
import { ADMIN } from '../user-rules.js';
import type { SignUpDto } from '../dto/sign-up.dto.js';
import { UserRegistration } from '../user-registration.service.js';
import type { User } from '../user.entity.js';
import { UsersRepository } from '../users.repository.js';

/**
 * Creates the first administrator, or returns null if an active admin exists. When several instances start at
 * once, exactly one creates it.
 */
export class CreateFirstAdministrator extends Command<User | null> {
  constructor(readonly input: SignUpDto) {
    super();
  }
}

@CommandHandler(CreateFirstAdministrator)
export class CreateFirstAdministratorHandler implements ICommandHandler<CreateFirstAdministrator> {
  constructor(
    private readonly registration: UserRegistration,
    private readonly repository: UsersRepository,
    private readonly unitOfWork: UnitOfWork,
  ) {}

  async execute({ input }: CreateFirstAdministrator): Promise<User | null> {
    const user = await this.registration.prepare({
      email: input.email,
      name: input.name,
      password: input.password,
      locale: DEFAULT_LOCALE,
      roles: [ADMIN, DEFAULT_ROLE],
      isFromOperator: true,
    });
    return this.unitOfWork.run(async () => {
      await this.repository.lockAdmins();
      return (await this.repository.existsActiveAdmin(null)) ? null : this.registration.insert(user);
    });
  }
}
