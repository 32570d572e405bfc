import {
  QueryFailedError,
  QueryRunnerAlreadyReleasedError,
  QueryRunnerProviderAlreadyReleasedError,
} from 'typeorm';
import { requestContext } from '../../common/context/request-context.js';
import { AppError } from '../../common/errors/app-error.js';

const UNIQUE_VIOLATION = '23505';
const QUERY_CANCELED = '57014';
/** Serialization failure and deadlock: the same work, done again, may well succeed. */
const RETRIED: ReadonlySet<string> = new Set(['40001', '40P01']);
/** Starting, stopping or crashed server; too many connections. Class 08 is told apart by prefix. */
const UNREACHABLE: ReadonlySet<string> = new Set([
  '57P01',
  '57P02',
  '57P03',
  '53300',
  'ECONNREFUSED',
  'ECONNRESET',
  'EPIPE',
  'ENOTFOUND',
  'ETIMEDOUT',
  'EHOSTUNREACH',
  'EAI_AGAIN',
]);
/** pg gives these no code; the texts are those of pg and pg-pool. */
const UNREACHABLE_TEXT =
  /^Connection terminated|^Client has encountered a connection error|^Connection ended unexpectedly|^Client was closed/;
const POOL_EXHAUSTED_TEXT = /^timeout exceeded when trying to connect/;

/** Whether the error is a violation of the unique constraint or index of that name. */
export const violatesUnique = (error: unknown, constraint: string): boolean =>
  sqlState(error) === UNIQUE_VIOLATION && driverError(error)['constraint'] === constraint;

export const isTransient = (error: unknown): boolean => RETRIED.has(sqlState(error));

/** What the client is told of an error of the database; null when it is none. */
export function databaseError(error: unknown): AppError | null {
  const code = sqlState(error);
  const text = message(error);
  const unreachable =
    code.startsWith('08') || UNREACHABLE.has(code) || UNREACHABLE_TEXT.test(text) || isTakenBack(error);
  if ((code === QUERY_CANCELED || unreachable) && requestContext.current()?.signal.aborted) {
    return new AppError('TIMEOUT', { cause: error });
  }
  if (POOL_EXHAUSTED_TEXT.test(text)) return new AppError('OVERLOADED', { cause: error });
  if (unreachable) {
    return new AppError('DB_ERROR', {
      status: 503,
      message: 'The database cannot be reached right now',
      cause: error,
      headers: { 'Retry-After': '1' },
    });
  }
  const known = error instanceof QueryFailedError || /^[0-9A-Z]{5}$/.test(code);
  return known ? new AppError('DB_ERROR', { cause: error }) : null;
}

/** TypeORM gives a connection back by itself when it breaks between two statements of a unit of work. */
const isTakenBack = (error: unknown): boolean =>
  error instanceof QueryRunnerAlreadyReleasedError ||
  error instanceof QueryRunnerProviderAlreadyReleasedError;

function sqlState(error: unknown): string {
  const code = driverError(error)['code'];
  return typeof code === 'string' ? code : '';
}

function driverError(error: unknown): Record<string, unknown> {
  const own = error instanceof QueryFailedError ? error.driverError : error;
  // Not by `instanceof Error`: Node's own errors are those of another realm where code runs in a vm.
  return typeof own === 'object' && own !== null ? { ...own } : {};
}

function message(error: unknown): string {
  if (typeof error !== 'object' || error === null || !('message' in error)) return '';
  return typeof error.message === 'string' ? error.message : '';
}
