import { Command, CommandHandler, type ICommandHandler } from '@nestjs/cqrs';
import type { Principal } from '../../../common/authorization/principal.types.js';
import { preferredLanguage } from '../../../common/locale.js';
import { MailTemplates } from '../../../platform/mail/mail-templates.service.js';
import { UnitOfWork } from '../../../platform/database/transactions/unit-of-work.js';
import { DEFAULT_ROLE, RolesService } from '../../roles/roles.service.js';
import type { CreateUserDto } from '../dto/create-user.dto.js';
import type { UserEventMail } from '../events/user.event.js';
import { UserRegistration } from '../user-registration.service.js';
import type { User } from '../user.entity.js';

/**
 * Registers a user. A user without a password is invited by mail.
 * @throws AppError `CONFLICT` when the address is taken, `FORBIDDEN` for roles that the caller may not grant
 */
export class CreateUser extends Command<User> {
  constructor(
    readonly input: CreateUserDto,
    /** Null for a person who signs up. */
    readonly caller: Principal | null,
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
    private readonly roles: RolesService,
    private readonly templates: MailTemplates,
    private readonly unitOfWork: UnitOfWork,
  ) {}

  async execute({ input, caller, languages }: CreateUser): Promise<User> {
    const roles = input.roles ?? [DEFAULT_ROLE];
    // Refuses before the slow hash. The transaction that grants the roles checks again.
    await this.roles.assertGrantableToNewUser(roles, caller);
    const user = await this.registration.prepare({
      email: input.email,
      name: input.name,
      password: input.password ?? null,
      locale: input.locale ?? preferredLanguage(languages, this.templates.languages),
      roles,
      emailVerified: input.email_verified ?? false,
    });
    return this.unitOfWork.run(async () => {
      await this.roles.assertGrantableToNewUser(roles, caller);
      return this.registration.insert(user, mailFor(input));
    });
  }
}

function mailFor({
  password,
  email_verified: isVerified,
  send_invitation: invites,
}: CreateUserDto): UserEventMail {
  if (invites === false) return 'none';
  if (password === undefined) return 'invitation';
  return isVerified === true ? 'none' : 'usual';
}
