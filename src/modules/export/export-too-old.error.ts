import { AppError } from '../../common/errors/app.error.js';

/** Creates the error for a snapshot that can no longer be read. */
export const exportTooOld = (): AppError =>
  new AppError('CONFLICT', {
    message: 'This export is too old or predates a database restore. Start a new export',
  });
