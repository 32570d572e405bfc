import { Command, CommandHandler, type ICommandHandler } from '@nestjs/cqrs';
import { UnitOfWork } from '../../../platform/database/transactions/unit-of-work.js';
import { ADMIN } from '../user-rules.js';
import type { CreateUserDto } from '../dto/create-user.dto.js';
import { UserRegistration } from '../user-registration.service.js';
import type { User } from '../user.entity.js';
import { UsersRepository } from '../users.repository.js';

/**
 * Creates the first administrator, or returns null if an active admin exists. When several instances start at
 * once, exactly one creates it.
 */
export class CreateFirstAdministrator extends Command<User | null> {
  constructor(readonly input: CreateUserDto) {
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
    const user = await this.registration.prepare(input, [ADMIN, 'user']);
    return this.unitOfWork.run(async () => {
      await this.repository.lockAdmins();
      return (await this.repository.existsActiveAdmin(null)) ? null : this.registration.insert(user);
    });
  }
}
