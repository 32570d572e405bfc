import { AppError } from '../../common/errors/app-error.js';

/** What the export saw cannot be told any more. */
export const tooOld = (): AppError =>
  new AppError('CONFLICT', {
    message: 'This export is too old, or from before a restore: begin a new one',
  });
