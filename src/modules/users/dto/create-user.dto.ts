import { IsEmailAddress, IsName, IsPassword } from '../../../common/validation/text.decorators.js';

export class CreateUserDto {
  /** @example ada@example.com */
  @IsEmailAddress()
  email: string;

  /** @example "correct horse battery" */
  @IsPassword()
  password: string;

  /** @example "Ada Lovelace" */
  @IsName()
  name: string;
}
