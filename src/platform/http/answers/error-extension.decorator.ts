import { SetMetadata } from '@nestjs/common';
import type { Request } from 'express';
import type { AppError } from '../../../common/errors/app.error.js';

/** Returns the properties to add beside the usual ones; null for an error that keeps its usual body. */
export type ErrorExtension = (
  error: AppError,
  request: Request,
) => Readonly<Record<string, string | undefined>> | null;

const ERROR_EXTENSION = 'gatehouse:error-extension';

/** Adds properties to the bodies of errors, on routes whose protocol defines errors of its own. */
export const ExtendsErrors = (extension: ErrorExtension): ClassDecorator =>
  SetMetadata(ERROR_EXTENSION, extension);

export const errorExtensionOf = (controller: object): ErrorExtension | undefined =>
  Reflect.getMetadata(ERROR_EXTENSION, controller) as ErrorExtension | undefined;
