import { randomBytes } from 'node:crypto';
import { Injectable, Logger } from '@nestjs/common';
import { CommandBus } from '@nestjs/cqrs';
import { validate } from 'class-validator';
import { AppError } from '../../../common/errors/app.error.js';
import type { ErrorCode } from '../../../common/errors/error-codes.js';
import { trimText } from '../../../common/text.js';
import { ADMIN_PASSWORD_REQUIRED, type Config, ConfigError } from '../../../config/config.js';
import { InjectConfig } from '../../../config/config.module.js';
import { FIRST_ADMINISTRATOR_NAME } from '../user-rules.js';
import { CreateFirstAdministrator } from '../commands/create-first-administrator.command.js';
import { SignUpDto } from '../dto/sign-up.dto.js';
import { UsersRepository } from '../users.repository.js';

const GENERATED_PASSWORD_BYTES = 18;
/**
 * The setting to blame for each error code. Other errors, such as a busy database, are not caused by a
 * setting.
 */
const VARIABLE_AT_FAULT: ReadonlyMap<ErrorCode, string> = new Map([
  ['CONFLICT', 'ADMIN_EMAIL'],
  ['VALIDATION_ERROR', 'ADMIN_PASSWORD'],
]);

export interface CreatedAdministrator {
  readonly email: string;
  /** The password if the service generated it. It is shown once and not stored. */
  readonly generatedPassword: string | null;
}

/** Creates the first admin, because without one no other admin can be created. */
@Injectable()
export class FirstAdministratorService {
  private readonly logger = new Logger(FirstAdministratorService.name);

  constructor(
    @InjectConfig() private readonly config: Config,
    private readonly commands: CommandBus,
    private readonly repository: UsersRepository,
  ) {}

  /**
   * Creates the administrator unless an active admin exists. When several instances start at once, exactly
   * one creates it. Warns when nobody can use `ADMIN_PASSWORD`, or sign in as an admin.
   * @returns null when an active admin exists
   * @throws ConfigError when ADMIN_EMAIL or ADMIN_PASSWORD cannot be used
   */
  async ensure(): Promise<CreatedAdministrator | null> {
    if (await this.repository.existsActiveAdmin(null)) {
      await this.warnOfSettings();
      return null;
    }
    const generated = this.config.ADMIN_PASSWORD === undefined ? this.generatePassword() : null;
    const administrator = await this.checkedAdministrator(this.config.ADMIN_PASSWORD ?? generated);
    const created = await this.create(administrator);
    return created ? { email: administrator.email, generatedPassword: generated } : null;
  }

  private async warnOfSettings(): Promise<void> {
    if (this.config.ADMIN_PASSWORD !== undefined) {
      this.logger.warn(
        'ADMIN_PASSWORD has no effect because an admin exists. Remove it from the environment',
      );
    }
    if (!(await this.repository.existsAdminWhoCanSignIn(null))) {
      this.logger.warn('no active admin can sign in. Run npm run admin:recover -- <email>');
    }
  }

  private generatePassword(): string {
    if (this.config.NODE_ENV === 'production') {
      throw new ConfigError([ADMIN_PASSWORD_REQUIRED]);
    }
    return randomBytes(GENERATED_PASSWORD_BYTES).toString('base64url');
  }

  private async checkedAdministrator(password: string | null): Promise<SignUpDto> {
    const administrator = Object.assign(new SignUpDto(), {
      email: trimText(this.config.ADMIN_EMAIL),
      password,
      name: FIRST_ADMINISTRATOR_NAME,
    });
    const faults = await validate(administrator, { stopAtFirstError: true });
    if (faults.length === 0) return administrator;
    throw new ConfigError(faults.map(({ property }) => `ADMIN_${property.toUpperCase()} is not valid`));
  }

  private async create(administrator: SignUpDto): Promise<boolean> {
    try {
      return (await this.commands.execute(new CreateFirstAdministrator(administrator))) !== null;
    } catch (error) {
      if (!(error instanceof AppError)) throw error;
      const name = VARIABLE_AT_FAULT.get(error.code);
      if (name === undefined) throw error;
      throw new ConfigError([`${name} cannot be used for the first administrator: ${error.message}`]);
    }
  }
}
