import { QueryFailedError } from 'typeorm';
import { isConnectionLost } from '../../database.errors.js';
import { type LockTimeouts, USUAL_LOCK_WAITS_MS } from '../../transactions/lock-wait.limiter.js';
import { prepared } from './prepared.js';

export const BEGIN = prepared('START TRANSACTION');
export const COMMIT = prepared('COMMIT');
export const ROLLBACK = 'ROLLBACK';
const lockTimeoutOf = (milliseconds: number): string => `SET LOCAL lock_timeout = ${milliseconds}`;
for (const milliseconds of USUAL_LOCK_WAITS_MS) prepared(lockTimeoutOf(milliseconds));
/** The maximum number of statements that wait for the next one. Each holds its values in memory. */
const MAX_HELD = 50;

/** A statement that is sent together with the next one. */
export interface HeldStatement {
  readonly text: string;
  readonly values?: readonly unknown[] | undefined;
  /** Returns the error to throw in place of the statement's own, or null to keep that one. */
  readonly translate?: ((error: unknown) => Error | null) | undefined;
  /** True for the start of the transaction. It fails only together with the statement after it. */
  readonly begins?: boolean;
}

/** A client that can hold statements. */
export interface HoldingClient {
  /**
   * Holds a statement of the running transaction until the next one or the COMMIT is sent.
   * @returns false when too many statements are held already
   */
  hold(statement: HeldStatement): boolean;
  /** True while the server has received nothing of the running transaction. */
  readonly hasUnsentBegin: boolean;
  /** Sends the COMMIT of the running transaction together with the next statement. */
  commitWithNext(): void;
}

/**
 * The statements of one connection's transaction that wait for the next one, so that they travel in its round
 * trip. The START TRANSACTION is the first of them. They are dropped if the transaction is rolled back.
 */
export class HeldStatements {
  /** True if the next statement is the last of its transaction. */
  commitsNext = false;
  /** True once the server has committed, and the transaction's own COMMIT is still to come. */
  committed = false;
  private statements: HeldStatement[] = [];

  /** Holds the start of a transaction, with its limit on lock waits. */
  begin(limits: LockTimeouts | undefined): void {
    this.clear();
    this.statements.push({ text: BEGIN, begins: true });
    if (limits) this.statements.push({ text: lockTimeoutOf(limits.milliseconds), begins: true });
  }

  add(statement: HeldStatement): boolean {
    if (this.committed) throw statementAfterCommit();
    if (this.statements.length >= MAX_HELD) return false;
    this.statements.push(statement);
    return true;
  }

  get all(): readonly HeldStatement[] {
    return this.statements;
  }

  /** True while the server has received nothing of the transaction. */
  get hasUnsentBegin(): boolean {
    return this.statements[0]?.begins === true;
  }

  /**
   * Tells whether this statement ends a transaction whose end the server need not be told, because it has
   * committed or has never begun there.
   */
  isNeedlessEnd(text: string): boolean {
    if (this.committed) return text === COMMIT;
    if (!this.hasUnsentBegin) return false;
    return text === ROLLBACK || (text === COMMIT && this.statements.every(({ begins }) => begins));
  }

  clear(): void {
    this.statements = [];
    this.commitsNext = false;
    this.committed = false;
  }
}

/** Returns the error for a statement that would run outside its transaction, because the server has committed. */
export const statementAfterCommit = (): Error =>
  new Error('no statement may follow the one with which the transaction committed');

/** The failure of a held statement. It reaches the caller of the statement that was sent together with it. */
class HeldStatementError extends Error {
  override readonly name = 'HeldStatementError';

  constructor(readonly failure: Error) {
    super('a statement that was sent earlier in the transaction failed', { cause: failure });
  }
}

/** Returns the error to throw when a batch failed at this held statement, or at its last one if there is none. */
export function heldFailure(statement: HeldStatement | undefined, error: unknown): unknown {
  if (!statement || statement.begins || isConnectionLost(error)) return error;
  const { text, values, translate } = statement;
  const failure = translate?.(error) ?? new QueryFailedError(text, values && [...values], error as Error);
  return new HeldStatementError(failure);
}

/** Returns the failure of the held statement if one caused this error, otherwise the error itself. */
export function originalFailure(error: unknown): unknown {
  const cause: unknown = error instanceof QueryFailedError ? error.driverError : error;
  return cause instanceof HeldStatementError ? cause.failure : error;
}

const lostAtStart = new WeakSet<object>();

/** Marks the error of a connection that was lost when only the start of a transaction had been sent. */
export function markLostAtStart(error: unknown): void {
  if (typeof error === 'object' && error !== null) lostAtStart.add(error);
}

/** Tells whether the connection was already dead when the transaction began, so that nothing was done over it. */
export const isLostAtStart = (error: unknown): boolean =>
  error instanceof QueryFailedError && lostAtStart.has(error.driverError);
