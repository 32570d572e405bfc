import { type ArgumentMetadata, Injectable, type PipeTransform } from '@nestjs/common';
import { AppError } from '../errors/app.error.js';
import { normalizeId } from '../ids.js';

/** Converts an id in the path to its canonical spelling. @throws AppError `VALIDATION_ERROR` */
@Injectable()
export class IdPipe implements PipeTransform<string, string> {
  transform(value: string, { data: name = 'id' }: ArgumentMetadata): string {
    const id = normalizeId(value);
    if (id === null) throw AppError.invalid(name, `${name} must be a UUID`);
    return id;
  }
}
