import { createParamDecorator, type ExecutionContext } from '@nestjs/common';
import type { Request } from 'express';
import { AppError } from '../../errors/app.error.js';
import { entityTag, TagCondition, type VersionedRecord } from './entity-tag.js';

/**
 * Evaluates the preconditions of a request (RFC 9110, section 13) in the order of 13.2.2. Records have no
 * `Last-Modified`, so it ignores the conditions that compare dates, as 13.1.3 and 13.1.4 require.
 */
export class Preconditions {
  /** The equivalent of `If-Match: *`, for callers inside the service that accept every version. */
  static readonly anyVersion = new Preconditions(TagCondition.parse('*'), null);

  private constructor(
    private readonly ifMatch: TagCondition | null,
    private readonly ifNoneMatch: TagCondition | null,
  ) {}

  /** Returns null when the request has no preconditions. */
  static fromRequest({ headers }: Pick<Request, 'headers'>): Preconditions | null {
    const ifMatch = TagCondition.parse(headers['if-match']);
    const ifNoneMatch = TagCondition.parse(headers['if-none-match']);
    return ifMatch || ifNoneMatch ? new Preconditions(ifMatch, ifNoneMatch) : null;
  }

  get hasIfMatch(): boolean {
    return this.ifMatch !== null;
  }

  /**
   * Refuses a write whose preconditions are false. The caller must hold the lock on the record. `null` stands
   * for a record that does not exist yet.
   * @throws AppError `PRECONDITION_FAILED` with the current tag
   */
  assertWrite(record: VersionedRecord | null): void {
    const etag = record && entityTag(record);
    if (this.ifMatch && !this.ifMatch.matchesStrongly(etag)) throw preconditionFailed(etag);
    if (this.ifNoneMatch?.matchesWeakly(etag))
      throw preconditionFailed(etag, 'If-None-Match excludes the current record');
  }

  /**
   * Returns true if a read gets a 304 response. A malformed `If-None-Match` only costs the client a full
   * response.
   * @throws AppError `PRECONDITION_FAILED` with the current tag when `If-Match` is false
   */
  isNotModified(record: VersionedRecord): boolean {
    const etag = entityTag(record);
    if (this.ifMatch && !this.ifMatch.matchesStrongly(etag)) throw preconditionFailed(etag);
    return this.ifNoneMatch?.matchesWeakly(etag) ?? false;
  }

  /**
   * Rejects an unparsable `If-None-Match`, because ignoring it would run a write that the client made
   * conditional. A malformed `If-Match` needs no such check, because it is never true.
   * @throws AppError `VALIDATION_ERROR`
   */
  assertParsed(): this {
    if (!this.ifNoneMatch?.malformed) return this;
    throw AppError.invalid('If-None-Match', 'If-None-Match must be * or a list of quoted entity tags');
  }
}

/** Injects the preconditions of a write, or null, for the command that locks the record. */
export const WritePreconditions = createParamDecorator(
  (_: unknown, context: ExecutionContext) =>
    Preconditions.fromRequest(context.switchToHttp().getRequest<Request>())?.assertParsed() ?? null,
);

function preconditionFailed(etag: string | null, message?: string): AppError {
  if (etag === null) return new AppError('PRECONDITION_FAILED', { message: 'The record does not exist' });
  return new AppError('PRECONDITION_FAILED', { headers: { ETag: etag }, ...(message && { message }) });
}
