import { Injectable, type PipeTransform } from '@nestjs/common';
import { AppError } from '../errors/app.error.js';
import { normalizeId } from '../ids.js';

/** Converts an id in the path to its canonical spelling. @throws AppError `VALIDATION_ERROR` */
@Injectable()
export class IdPipe implements PipeTransform<string, string> {
  transform(value: string): string {
    const id = normalizeId(value);
    if (id === null) throw AppError.invalid('id', 'id must be a UUID');
    return id;
  }
}
