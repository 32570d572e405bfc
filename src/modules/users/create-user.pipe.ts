import { Injectable, type PipeTransform } from '@nestjs/common';
import { requestContext } from '../../common/context/request-context.js';
import { createValidationPipe } from '../../common/validation/validation.pipe.js';
import { CreateUserDto } from './dto/create-user.dto.js';
import { SignUpDto } from './dto/sign-up.dto.js';

/**
 * Validates a new user by the rules for the caller. A holder of `users:write` may leave out the password and set more
 * than a person who signs up.
 */
@Injectable()
export class CreateUserPipe implements PipeTransform<unknown, Promise<SignUpDto | CreateUserDto>> {
  private readonly validation = createValidationPipe();

  transform(body: unknown): Promise<SignUpDto | CreateUserDto> {
    const mayWrite = requestContext.current()?.caller.principal?.permissions.has('users:write');
    const metatype = mayWrite ? CreateUserDto : SignUpDto;
    return this.validation.transform(body, { type: 'body', metatype }) as Promise<SignUpDto | CreateUserDto>;
  }
}
