import { AppError } from '../errors/app-error.js';

/** Checks two validated times. @throws AppError `VALIDATION_ERROR` when `to` is before `from` */
export function assertTimeRange({ from, to }: { readonly from?: string; readonly to?: string }): void {
  if (from === undefined || to === undefined || Date.parse(from) <= Date.parse(to)) return;
  throw AppError.invalid('to', 'to must not be before from');
}
