import { Injectable, type PipeTransform } from '@nestjs/common';
import { AppError } from '../../../common/errors/app-error.js';
import { ROLE_NAME } from './role-name.decorator.js';

/** The role named in a path. @throws AppError `VALIDATION_ERROR` */
@Injectable()
export class RoleNamePipe implements PipeTransform<string, string> {
  transform(name: string): string {
    if (!ROLE_NAME.test(name)) {
      throw AppError.invalid(
        'name',
        'name must be a role name (a to z, 0 to 9, - and _; at most 50 characters)',
      );
    }
    return name;
  }
}
