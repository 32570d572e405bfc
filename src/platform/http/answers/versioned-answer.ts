import type { Request, Response } from 'express';
import { entityTag, type VersionedRecord } from '../../../common/http/preconditions/entity-tag.js';
import { Preconditions } from '../../../common/http/preconditions/preconditions.decorator.js';

/**
 * Sets the record's ETag and evaluates the preconditions of a read.
 * @returns true when the response is 304, without a body
 * @throws AppError `PRECONDITION_FAILED`
 */
export function setVersion(request: Request, response: Response, record: VersionedRecord): boolean {
  const isRead = request.method === 'GET' || request.method === 'HEAD';
  const notModified = isRead && (Preconditions.fromRequest(request)?.isNotModified(record) ?? false);
  response.setHeader('ETag', entityTag(record));
  if (!isRead) return false;
  response.setHeader('Cache-Control', 'private, no-cache');
  // A browser's cache outlives a session. Without this, the next user could see the previous user's record.
  response.vary('Authorization');
  if (notModified) response.status(304);
  return notModified;
}
