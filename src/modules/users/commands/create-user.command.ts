import { Command, CommandHandler, type ICommandHandler } from '@nestjs/cqrs';
import { UnitOfWork } from '../../../platform/database/transactions/unit-of-work.js';
import type { CreateUserDto } from '../dto/create-user.dto.js';
import { UserRegistration } from '../user-registration.service.js';
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
    private readonly registration: UserRegistration,
    private readonly unitOfWork: UnitOfWork,
  ) {}

  async execute({ input }: CreateUser): Promise<User> {
    const user = await this.registration.prepare(input, ['user']);
    return this.unitOfWork.run(() => this.registration.insert(user));
  }
}
