import { expect } from '@jest/globals';
import type { ErrorResponse } from '../../../src/common/errors/error.response.js';
import { type ErrorCode, errorCodes } from '../../../src/common/errors/error-codes.js';
import type { Answer } from './send.js';

export const REQUEST_ID = /^[A-Za-z0-9._-]{1,64}$/;

/** Matches internals of the service: SQL, stacks, paths, libraries, constraints, addresses. */
const INSIDE =
  /\b(?:select .* from|insert into|update .* set|pg_|_pkey|_key_key|_fkey|users_|sqlstate|postgres|typeorm|nestjs|express|queryfailed|node_modules|econn|epipe|enotfound)|\bat .*[:(]\d+:\d+|\/(?:src|dist|tmp|home|root|work)\/|\.[jt]s:\d+|127\.0\.0\.1|localhost/i;

/** Checks that an error response conforms to section 2 of the contract. */
export function expectEnvelope(
  answer: Answer,
  code: ErrorCode,
  status: number = errorCodes[code].status,
): ErrorResponse['error'] {
  expect({ status: answer.status, body: answer.json }).toMatchObject({ status, body: { error: { code } } });
  return expectSomeEnvelope(answer);
}

/** Checks like `expectEnvelope` for any code: its status and format must match the error table. */
export function expectSomeEnvelope(answer: Answer): ErrorResponse['error'] {
  expect(answer.headers['content-type']).toBe('application/json; charset=utf-8');
  expect(Object.keys(answer.json as object)).toEqual(['error']);
  const { error } = answer.json as ErrorResponse;
  const { details, ...facts } = error;
  expect(facts).toEqual({
    code: expect.any(String),
    message: expect.stringMatching(/\S/),
    request_id: expect.stringMatching(REQUEST_ID),
  });
  expect(Object.keys(errorCodes)).toContain(error.code);
  expect(answer.headers['x-request-id']).toBe(error.request_id);
  for (const detail of details ?? []) {
    expect(detail).toEqual({ field: expect.any(String), message: expect.any(String) });
  }
  return error;
}

/**
 * Checks that the message reveals no internals. Use it only where the input itself cannot contain such words.
 */
export const expectNothingFromInside = (answer: Answer): void =>
  expect(`${answer.text}\n${JSON.stringify(answer.headers)}`).not.toMatch(INSIDE);
