import { Command, CommandHandler, type ICommandHandler } from '@nestjs/cqrs';
import { UnitOfWork } from '../../../platform/database/unit-of-work.js';
import type { CreateUserDto } from '../dto/create-user.dto.js';
import { NewAccounts } from '../new-accounts.js';
import type { User } from '../user.entity.js';

/** Registers a user. @throws AppError `CONFLICT` when the address is taken */
export class CreateUser extends Command<User> {
  constructor(readonly input: CreateUserDto) {
    super();
  }
}

@CommandHandler(CreateUser)
export class CreateUserHandler implements ICommandHandler<CreateUser> {
  constructor(
    private readonly accounts: NewAccounts,
    private readonly unitOfWork: UnitOfWork,
  ) {}

  async execute({ input }: CreateUser): Promise<User> {
    const user = await this.accounts.prepare(input, ['user']);
    return this.unitOfWork.run(() => this.accounts.insert(user));
  }
}
