import { STATUS_CODES } from 'node:http';
import type { OpenAPIObject } from '@nestjs/swagger';
import { AppError } from '../../common/errors/app.error.js';
import { errorEnvelope, PROBLEM_JSON, problemDetails } from '../../common/errors/error-body.js';
import { type ErrorCode, errorCodes } from '../../common/errors/error-codes.js';
import { VERSIONED } from '../../common/http/preconditions/versioned.decorator.js';
import {
  type IdempotencyKeyUse,
  KEY_HEADER,
  KEY_USE_EXTENSION,
  MAX_KEY_LENGTH,
  REPLAYED_HEADER,
} from '../idempotency/idempotency-key.js';

type Operation = NonNullable<OpenAPIObject['paths'][string]['get']>;
type Parameter = NonNullable<Operation['parameters']>[number];

const METHODS = ['get', 'post', 'put', 'patch', 'delete'] as const;
const ERROR_SCHEMA = { $ref: '#/components/schemas/ErrorResponse' };
const PROBLEM_SCHEMA = { $ref: '#/components/schemas/ProblemResponse' };
const REQUEST_ID = '0192f1c4-8a4e-7c31-9d52-3f6f0c2b7a10';
/** The schema of every `{id}` in a path, as enforced by IdPipe. */
const ID_SCHEMA = { type: 'string', format: 'uuid', example: REQUEST_ID } as const;

const ENTITY_TAG = {
  description: 'The strong entity tag of the record: send it back as received',
  schema: { type: 'string', pattern: '^"[^"]+"$', example: `"${REQUEST_ID}.3"` },
} as const;
const REPLAYED = {
  description: 'Present when this is a replayed response',
  schema: { type: 'string', pattern: '^true$', example: 'true' },
} as const;
const RETRY_AFTER = {
  description: `Seconds to wait while a request with this ${KEY_HEADER} is still running`,
  schema: { type: 'integer', minimum: 1 },
} as const;

/**
 * Adds what controllers need not repeat: the security of public routes, the format of path IDs, and
 * Idempotency-Key. Also adds the errors of validation, preconditions, overload and timeouts, with examples.
 */
export function completeOperations(document: OpenAPIObject): OpenAPIObject {
  for (const [path, item] of Object.entries(document.paths)) {
    for (const method of METHODS) {
      const operation = item[method];
      if (!operation) continue;
      operation.security ??= [];
      completeIds(operation);
      const keyUse = takeKeyUse(operation);
      if (method === 'post' && keyUse !== 'ignored') addIdempotency(operation, keyUse === 'decides-alone');
      for (const code of errorsOf(path, method, operation)) addResponse(operation, code);
      addEntityTag(operation);
      describeResponses(operation);
    }
  }
  return document;
}

function completeIds(operation: Operation): void {
  const id = parameter(operation, 'path', 'id');
  if (id) id.schema = ID_SCHEMA;
}

/** Returns what the route declares, and removes the mark. */
function takeKeyUse(operation: Operation): IdempotencyKeyUse | undefined {
  const marked = operation as Operation & { [KEY_USE_EXTENSION]?: IdempotencyKeyUse };
  const use = marked[KEY_USE_EXTENSION];
  delete marked[KEY_USE_EXTENSION];
  return use;
}

/**
 * Adds the Idempotency-Key header. Responses show whether they are replayed. A key whose request is still
 * running gives a 409; a different request with the same key gives a 422, unless the key alone decides.
 */
function addIdempotency(operation: Operation, byKeyAlone: boolean): void {
  operation.parameters = [
    ...(operation.parameters ?? []),
    {
      name: KEY_HEADER,
      in: 'header',
      description: byKeyAlone
        ? 'A request repeated with the same key within 24 hours of its success runs once and gets the same response, whatever its body'
        : 'A request repeated with the same key within 24 hours runs once and gets the same response',
      schema: {
        type: 'string',
        minLength: 1,
        maxLength: MAX_KEY_LENGTH,
        pattern: '^[!-~]+$',
        example: REQUEST_ID,
      },
    },
  ];
  addResponse(operation, 'CONFLICT');
  if (!byKeyAlone) addResponse(operation, 'IDEMPOTENCY_MISMATCH');
  for (const [status, response] of Object.entries(operation.responses)) {
    if (!response || '$ref' in response) continue;
    if (status.startsWith('2')) response.headers = { ...response.headers, [REPLAYED_HEADER]: REPLAYED };
    if (status === '409') response.headers = { ...response.headers, 'Retry-After': RETRY_AFTER };
  }
}

/** Adds the ETag header to responses with a versioned record and to the refusal of an unmet precondition. */
function addEntityTag(operation: Operation): void {
  const marked = operation as Operation & { [VERSIONED]?: true };
  const tagged = marked[VERSIONED] ? /^(?:2\d\d|304|412)$/ : /^412$/;
  delete marked[VERSIONED];
  for (const [status, response] of Object.entries(operation.responses)) {
    if (!response || '$ref' in response || !tagged.test(status)) continue;
    response.headers = { ...response.headers, ETag: ENTITY_TAG };
  }
}

function errorsOf(path: string, method: (typeof METHODS)[number], operation: Operation): ErrorCode[] {
  // An unknown query parameter is rejected (except by the health routes), and so is a request without a Host.
  if (!path.startsWith('/api/')) return ['VALIDATION_ERROR'];
  const ifMatch = parameter(operation, 'header', 'If-Match');
  return [
    'VALIDATION_ERROR',
    ...(parameter(operation, 'path', 'id') ? (['NOT_FOUND'] as const) : []),
    ...(ifMatch ? (['PRECONDITION_FAILED'] as const) : []),
    ...(ifMatch?.required ? (['PRECONDITION_REQUIRED'] as const) : []),
    // A body is read and checked even where none is expected.
    ...(method === 'get' ? [] : (['PAYLOAD_TOO_LARGE', 'UNSUPPORTED_MEDIA_TYPE'] as const)),
    'INTERNAL_ERROR',
    'OVERLOADED',
    'TIMEOUT',
  ];
}

function parameter(operation: Operation, place: string, name: string) {
  const wanted = (each: Parameter) => 'in' in each && each.in === place && each.name === name;
  const found = operation.parameters?.find(wanted);
  return found && 'in' in found ? found : undefined;
}

function addResponse(operation: Operation, code: ErrorCode): void {
  const { status, message } = errorCodes[code];
  operation.responses[status] ??= {
    description: message,
    content: { 'application/json': { schema: ERROR_SCHEMA } },
  };
}

function describeResponses(operation: Operation): void {
  for (const [status, response] of Object.entries(operation.responses)) {
    if (!response || '$ref' in response) continue;
    response.description ||= STATUS_CODES[status] ?? '';
    const media = response.content?.['application/json'];
    if (!media?.schema || !('$ref' in media.schema) || media.schema.$ref !== ERROR_SCHEMA.$ref) continue;
    const codes = codesOf(Number(status));
    media.examples = examples(codes, errorEnvelope, Number(status));
    response.content = {
      ...response.content,
      [PROBLEM_JSON]: {
        schema: PROBLEM_SCHEMA,
        examples: examples(codes, problemDetails, Number(status)),
      },
    };
  }
}

/** Returns the error codes with that status. A database that cannot be reached is also a 503. */
function codesOf(status: number): ErrorCode[] {
  const codes = (Object.keys(errorCodes) as ErrorCode[]).filter((code) => errorCodes[code].status === status);
  return status === 503 ? [...codes, 'DB_ERROR'] : codes;
}

const examples = (codes: ErrorCode[], make: (error: AppError, requestId: string) => object, status: number) =>
  Object.fromEntries(codes.map((code) => [code, { value: make(exampleOf(code, status), REQUEST_ID) }]));

const exampleOf = (code: ErrorCode, status: number): AppError =>
  code === 'VALIDATION_ERROR'
    ? AppError.invalid('email', 'email must be an email')
    : new AppError(code, { status });
