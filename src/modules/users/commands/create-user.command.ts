import { Command, CommandHandler, type ICommandHandler } from '@nestjs/cqrs';
import { preferredLanguage } from '../../../common/locale.js';
import { MailTemplates } from '../../../platform/mail/mail-templates.service.js';
import { UnitOfWork } from '../../../platform/database/transactions/unit-of-work.js';
import type { CreateUserDto } from '../dto/create-user.dto.js';
import { UserRegistration } from '../user-registration.service.js';
import type { User } from '../user.entity.js';

/** Registers a user. @throws AppError `CONFLICT` when the address is taken */
export class CreateUser extends Command<User> {
  constructor(
    readonly input: CreateUserDto,
    /** An `Accept-Language` header. It chooses the user's language if the input names none. */
    readonly languages?: string,
  ) {
    super();
  }
}

@CommandHandler(CreateUser)
export class CreateUserHandler implements ICommandHandler<CreateUser> {
  constructor(
    private readonly registration: UserRegistration,
    private readonly templates: MailTemplates,
    private readonly unitOfWork: UnitOfWork,
  ) {}

  async execute({ input, languages }: CreateUser): Promise<User> {
    const { email, name, password } = input;
    const locale = input.locale ?? preferredLanguage(languages, this.templates.languages);
    const user = await this.registration.prepare({ email, name, password, locale }, ['user']);
    return this.unitOfWork.run(() => this.registration.insert(user));
  }
}
