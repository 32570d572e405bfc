import { Injectable, type PipeTransform } from '@nestjs/common';
import { requestContext } from '../../common/context/request-context.js';
import { createValidationPipe, notKnown } from '../../common/validation/validation.pipe.js';
import { CreateUserDto } from './dto/create-user.dto.js';
import { SignUpDto } from './dto/sign-up.dto.js';

/** The properties that only a holder of `users:write` may set. */
const RESERVED: Readonly<Record<Exclude<keyof CreateUserDto, keyof SignUpDto>, true>> = {
  roles: true,
  email_verified: true,
  send_invitation: true,
};

/**
 * Validates a new user by the rules for the caller. A holder of `users:write` may leave out the password and set more
 * than a person who signs up.
 */
@Injectable()
export class CreateUserPipe implements PipeTransform<unknown, Promise<SignUpDto | CreateUserDto>> {
  private readonly forWriters = createValidationPipe();
  private readonly forSignUps = createValidationPipe((property) =>
    Object.hasOwn(RESERVED, property)
      ? `${property} requires the permission users:write`
      : notKnown(property),
  );

  transform(body: unknown): Promise<SignUpDto | CreateUserDto> {
    const mayWrite = requestContext.current()?.caller.principal?.permissions.has('users:write');
    const [validation, metatype] = mayWrite ? [this.forWriters, CreateUserDto] : [this.forSignUps, SignUpDto];
    return validation.transform(body, { type: 'body', metatype }) as Promise<SignUpDto | CreateUserDto>;
  }
}
