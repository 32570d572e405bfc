import { AppError } from '../../common/errors/app.error.js';

/** Returns the error with which streams end while the instance stops. */
export const stoppingError = (): AppError =>
  new AppError('OVERLOADED', { message: 'This instance is stopping. Connect again' });
