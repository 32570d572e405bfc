import { Injectable, type PipeTransform } from '@nestjs/common';
import { AppError } from '../../common/errors/app.error.js';
import { ROLE_NAME, ROLE_NAME_RULE } from './dto/role-name.decorator.js';

/** Validates the role name in a path. @throws AppError `VALIDATION_ERROR` */
@Injectable()
export class RoleNamePipe implements PipeTransform<string, string> {
  transform(name: string): string {
    if (!ROLE_NAME.test(name)) {
      throw AppError.invalid('name', `name ${ROLE_NAME_RULE}`);
    }
    return name;
  }
}
