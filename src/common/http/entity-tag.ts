import { createParamDecorator, type ExecutionContext } from '@nestjs/common';
import type { Request } from 'express';
import { AppError } from '../errors/app-error.js';

/** The strong entity tag (RFC 9110, 8.8.3) of a record's version. */
export const entityTag = (version: number): string => `"${version}"`;

/** The condition of an `If-Match` or `If-None-Match` header; null when it was not sent. */
export class TagCondition {
  private constructor(private readonly tags: readonly string[]) {}

  static parse(header: string | undefined): TagCondition | null {
    if (header === undefined) return null;
    return new TagCondition(header.split(',').map((tag) => tag.trim()));
  }

  /** Strong comparison (RFC 9110, 8.8.3.2): a weak tag never matches. */
  matchesStrongly(tag: string): boolean {
    return this.tags.includes('*') || this.tags.includes(tag);
  }

  /** Weak comparison, for `If-None-Match`. */
  matchesWeakly(tag: string): boolean {
    return this.matchesStrongly(tag) || this.tags.includes(`W/${tag}`);
  }
}

/** The `If-Match` of the request, for the use case that holds the record under lock. */
export const IfMatch = createParamDecorator((_: unknown, context: ExecutionContext) =>
  TagCondition.parse(context.switchToHttp().getRequest<Request>().get('if-match')),
);

/** @throws AppError `PRECONDITION_FAILED` with the current tag */
export function assertMatch(condition: TagCondition | null, version: number): void {
  const etag = entityTag(version);
  if (condition && !condition.matchesStrongly(etag)) {
    throw new AppError('PRECONDITION_FAILED', { headers: { ETag: etag } });
  }
}
