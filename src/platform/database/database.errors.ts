import {
  QueryFailedError,
  QueryRunnerAlreadyReleasedError,
  QueryRunnerProviderAlreadyReleasedError,
} from 'typeorm';
import { requestContext } from '../../common/context/request-context.js';
import { AppError } from '../../common/errors/app.error.js';
import { lockKey, type LockTimeout } from './transactions/lock-wait.limiter.js';

const UNIQUE_VIOLATION = '23505';
const QUERY_CANCELED = '57014';
const LOCK_NOT_AVAILABLE = '55P03';
const READ_ONLY = '25006';
/** Serialization failure and deadlock. Running the same work again may succeed. */
const RETRYABLE: ReadonlySet<string> = new Set(['40001', '40P01']);
/**
 * SQLSTATEs of an unreachable server:
 * - connection exceptions (08)
 * - a server that starts, stops, crashes or ends an idle session (57P)
 * - terminated transactions and sessions (25P03, 25P04)
 * - a server that does not let the service in at the moment (28, 3D000)
 */
const UNREACHABLE = /^(?:08|57P|25P0[34]$|28|3D000$)/;
/**
 * The server lacks a resource (53: disk, memory, connections), or its operating system failed (58000, 58030).
 */
const EXHAUSTED = /^(?:53|58000$|58030$)/;
/** Errors of system calls towards the database. Any other system error counts as a bug in the service. */
const UNREACHABLE_SYSTEM: ReadonlySet<string> = new Set([
  'ECONNREFUSED',
  'ECONNRESET',
  'ECONNABORTED',
  'EPIPE',
  'ENOTFOUND',
  'ETIMEDOUT',
  'EHOSTUNREACH',
  'EHOSTDOWN',
  'ENETUNREACH',
  'ENETDOWN',
  'EAI_AGAIN',
]);
/** This process or its machine has run out of file descriptors, buffers or ports. */
const EXHAUSTED_SYSTEM: ReadonlySet<string> = new Set([
  'EMFILE',
  'ENFILE',
  'ENOBUFS',
  'ENOMEM',
  'EADDRNOTAVAIL',
  'EAGAIN',
]);
/** Messages of pg and pg-pool errors that have no code. */
const UNREACHABLE_TEXT =
  /^Connection terminated|^Client has encountered a connection error|^Connection ended unexpectedly|^Client was closed|^timeout expired/;
const SQL_STATE = /^[0-9A-Z]{5}$/;
const POOL_EXHAUSTED_TEXT = /^timeout exceeded when trying to connect/;

/** Tells whether the error violates the unique constraint or index with that name. */
export const violatesUnique = (error: unknown, constraint: string): boolean =>
  sqlState(error) === UNIQUE_VIOLATION && driverError(error)['constraint'] === constraint;

export const isTransient = (error: unknown): boolean => RETRYABLE.has(sqlState(error));

/** Tells whether the database refused the statement because it is read-only. */
export const isReadOnly = (error: unknown): boolean => sqlState(error) === READ_ONLY;

/** Returns the statement that timed out waiting for a lock; null for any other error. */
export function lockTimeout(error: unknown): LockTimeout | null {
  if (sqlState(error) !== LOCK_NOT_AVAILABLE) return null;
  if (!(error instanceof QueryFailedError)) return { key: message(error) };
  return { key: lockKey(error.query, error.parameters) };
}

/**
 * Tells whether the connection, or the server behind it, was gone when the statement was sent or answered.
 */
export const isConnectionLost = (error: unknown): boolean =>
  !(error instanceof AppError) && isUnreachable(error);

/** Tells whether a statement was sent, and its connection was lost before the answer. It may have committed. */
export const isStatementLost = (error: unknown): boolean =>
  error instanceof QueryFailedError && isConnectionLost(error);

/** Translates a database error into the error for the client; returns null for any other error. */
export function databaseError(error: unknown): AppError | null {
  const code = sqlState(error);
  const text = message(error);
  const unreachable = isUnreachable(error) || isReleasedConnection(error);
  if ((code === QUERY_CANCELED || unreachable) && requestContext.current()?.signal.aborted) {
    return new AppError('TIMEOUT', { cause: error });
  }
  if (POOL_EXHAUSTED_TEXT.test(text) || EXHAUSTED_SYSTEM.has(code) || isContended(code)) {
    return new AppError('OVERLOADED', { cause: error });
  }
  if (unreachable) return unavailable('The database cannot be reached right now', 1, error);
  if (code === READ_ONLY) return unavailable('The database is read-only right now', 5, error);
  if (EXHAUSTED.test(code)) return unavailable('The database cannot process this right now', 5, error);
  const known = error instanceof QueryFailedError || SQL_STATE.test(code);
  return known ? new AppError('DB_ERROR', { cause: error }) : null;
}

/** Another transaction holds what the statement needs, for longer or more often than a request waits. */
const isContended = (code: string): boolean => code === LOCK_NOT_AVAILABLE || RETRYABLE.has(code);

function isUnreachable(error: unknown): boolean {
  const code = sqlState(error);
  return UNREACHABLE_SYSTEM.has(code) || UNREACHABLE.test(code) || UNREACHABLE_TEXT.test(message(error));
}

const unavailable = (text: string, retryAfterSeconds: number, cause: unknown): AppError =>
  new AppError('DB_ERROR', {
    status: 503,
    message: text,
    cause,
    headers: { 'Retry-After': String(retryAfterSeconds) },
  });

/**
 * Tells whether TypeORM released the connection because it broke between two statements of a unit of work.
 */
export const isReleasedConnection = (error: unknown): boolean =>
  error instanceof QueryRunnerAlreadyReleasedError ||
  error instanceof QueryRunnerProviderAlreadyReleasedError;

function sqlState(error: unknown): string {
  const code = driverError(error)['code'];
  return typeof code === 'string' ? code : '';
}

function driverError(error: unknown): Record<string, unknown> {
  const own = error instanceof QueryFailedError ? error.driverError : error;
  // `instanceof Error` would miss Node's own errors, which come from another realm where code runs in a vm.
  return typeof own === 'object' && own !== null ? { ...own } : {};
}

function message(error: unknown): string {
  if (typeof error !== 'object' || error === null || !('message' in error)) return '';
  return typeof error.message === 'string' ? error.message : '';
}
