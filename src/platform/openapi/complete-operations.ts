import { STATUS_CODES } from 'node:http';
import type { OpenAPIObject } from '@nestjs/swagger';
import { type Policy, POLICY_EXTENSION } from '../../common/authorization/policy.decorator.js';
import { AppError } from '../../common/errors/app.error.js';
import { errorEnvelope } from '../../common/errors/error-body.js';
import { type ErrorCode, errorCodes } from '../../common/errors/error-codes.js';
import { BODY_CONTENT, type BodyContent } from '../../common/http/body-content.decorator.js';
import { VERSIONED } from '../../common/http/preconditions/versioned.decorator.js';
import { FLAG_EXTENSION } from '../feature-flags/behind-flag.decorator.js';
import { describeAccess } from './describe-access.js';
import {
  type IdempotencyKeyUse,
  KEY_HEADER,
  KEY_USE_EXTENSION,
  MAX_KEY_LENGTH,
  REPLAYED_HEADER,
} from '../idempotency/idempotency-key.js';

/** The extensions by which decorators mark an operation. {@link takeMark} keeps them out of the document. */
interface Marks {
  [POLICY_EXTENSION]?: Policy;
  [FLAG_EXTENSION]?: string;
  [BODY_CONTENT]?: BodyContent;
  [KEY_USE_EXTENSION]?: IdempotencyKeyUse;
  [VERSIONED]?: true;
}

type Operation = NonNullable<OpenAPIObject['paths'][string]['get']> & Marks;
type Parameter = NonNullable<Operation['parameters']>[number];
type ResponseObject = Exclude<Operation['responses'][string], undefined | { $ref: string }>;
type Schema = NonNullable<NonNullable<OpenAPIObject['components']>['schemas']>[string];

const METHODS = ['get', 'post', 'put', 'patch', 'delete'] as const;
const ERROR_SCHEMA = { $ref: '#/components/schemas/ErrorResponse' };
const REQUEST_ID = '0192f1c4-8a4e-7c31-9d52-3f6f0c2b7a10';
/** The names of ids in a path. */
const ID_NAME = /^(?:\w+_)?id$/;
/** The schema of every id in a path, as enforced by IdPipe. */
const ID_SCHEMA = { type: 'string', format: 'uuid', example: REQUEST_ID } as const;

const ENTITY_TAG = {
  description: 'The strong entity tag of the record: send it back as received',
  schema: { type: 'string', pattern: '^"[^"]+"$', example: `"${REQUEST_ID}.3"` },
} as const;
const REPLAYED = {
  description: 'Present when this is a replayed response',
  schema: { type: 'string', pattern: '^true$', example: 'true' },
} as const;
const RETRY_AFTER = { description: 'Seconds to wait', schema: { type: 'integer', minimum: 1 } } as const;

/** The headers that many responses have. The document holds each once. */
const sharedHeaders = {
  'X-Request-Id': {
    description: 'The id of the request: the one that it was sent with, or a new one',
    schema: { type: 'string', pattern: '^[A-Za-z0-9._-]{1,64}$' },
  },
  'RateLimit-Policy': {
    description:
      'The limit that the request counts in: its name, the quota `q` and the window `w` in seconds',
    schema: { type: 'string' },
  },
  RateLimit: {
    description: 'What is left of the quota (`r`), and the seconds until the window ends (`t`)',
    schema: { type: 'string' },
  },
} as const;
type SharedHeader = keyof typeof sharedHeaders;
const headerRef = (name: SharedHeader) => ({ $ref: `#/components/headers/${name}` });

/** The headers that tell a client what to do about an error. */
const headersOfErrors: Readonly<Partial<Record<number, Record<string, object>>>> = {
  401: {
    'WWW-Authenticate': {
      description: '`Bearer`, with `error="invalid_token"` when a token was sent',
      schema: { type: 'string' },
    },
  },
  405: { Allow: { description: 'The methods of this path', schema: { type: 'string' } } },
  429: { 'Retry-After': RETRY_AFTER },
  503: { 'Retry-After': RETRY_AFTER },
};

/**
 * Adds what controllers need not repeat: who may call a route, the security of public routes, the format of path IDs,
 * and Idempotency-Key. Also adds the errors of validation, limits, preconditions, overload and timeouts, with examples.
 * The document holds responses and headers that many routes have once, as components. `meanings` describes parameters
 * and properties by their names, where they have no description of their own.
 */
export function completeOperations(
  document: OpenAPIObject,
  meanings: Readonly<Record<string, string>>,
): OpenAPIObject {
  const components = (document.components ??= {});
  components.headers = { ...sharedHeaders };
  const shared = new SharedResponses();
  for (const [path, item] of Object.entries(document.paths)) {
    for (const method of METHODS) {
      const operation = item[method];
      if (!operation) continue;
      operation.security ??= [];
      const isApi = path.startsWith('/api/') || isClosed(operation);
      describeOperation(operation);
      completeIds(operation);
      completeBody(operation);
      completeParameters(operation, meanings);
      const keyUse = takeMark(operation, KEY_USE_EXTENSION);
      if (method === 'post' && keyUse !== 'ignored') addIdempotency(operation, keyUse === 'decides-alone');
      for (const code of errorsOf(isApi, method, operation)) addResponse(operation, code);
      addEntityTag(operation);
      describeResponses(operation, isApi);
      shared.take(operation);
    }
  }
  components.responses = shared.all;
  for (const schema of Object.values(components.schemas ?? {})) describeProperties(schema, meanings);
  return document;
}

/** Tells whether the operation has a policy that looks up its caller. Such routes count against a rate limit. */
const isClosed = ({ [POLICY_EXTENSION]: policy }: Operation): boolean =>
  policy !== undefined && policy.kind !== 'public';

const describeFlag = (key: string): string =>
  `Refused with 403 while the flag \`${key}\` is off for the caller.`;

/** Keeps the first sentence of the comment as summary. The description says the rest, and who may call the route. */
function describeOperation(operation: Operation): void {
  const policy = takeMark(operation, POLICY_EXTENSION);
  const flag = takeMark(operation, FLAG_EXTENSION);
  if (flag !== undefined) addResponse(operation, 'FORBIDDEN');
  const [, first = '', rest = ''] = /^(.+?[.!])(?:\s+(.*))?$/s.exec(operation.summary ?? '') ?? [];
  operation.summary = (first || (operation.summary ?? '')).replace(/\.$/, '');
  operation.description = [rest, operation.description, describeAccess(policy), flag && describeFlag(flag)]
    .filter(Boolean)
    .join('\n\n');
}

/**
 * Describes parameters whose name says what they mean. Removes the examples of those that may be left out, because
 * Swagger UI would send them.
 */
function completeParameters(
  { parameters = [] }: Operation,
  meanings: Readonly<Record<string, string>>,
): void {
  for (const each of parameters) {
    if ('$ref' in each) continue;
    const meaning = meanings[each.name];
    if (meaning !== undefined) each.description ??= meaning;
    if (each.required) continue;
    delete each.example;
    if (each.schema && !('$ref' in each.schema)) delete each.schema.example;
  }
}

function describeProperties(schema: Schema, meanings: Readonly<Record<string, string>>): void {
  if ('$ref' in schema) return;
  for (const [name, property] of Object.entries(schema.properties ?? {})) {
    const meaning = meanings[name];
    if (meaning !== undefined && !('$ref' in property)) property.description ??= meaning;
  }
}

/** The responses to refusals. Those of one status that differ in their descriptions alone share a component. */
class SharedResponses {
  readonly all: Record<string, ResponseObject> = {};
  private readonly names = new Map<string, string>();

  take(operation: Operation): void {
    for (const [status, response] of Object.entries(operation.responses)) {
      if (!response || '$ref' in response || !isError(response)) continue;
      const { description, ...rest } = response;
      const name = this.nameOf(status, rest);
      // OpenAPI 3.1 lets a reference describe what it refers to.
      const isUsual = description === this.all[name]?.description;
      operation.responses[status] = {
        $ref: `#/components/responses/${name}`,
        ...(!isUsual && { description }),
      };
    }
  }

  private nameOf(status: string, rest: Omit<ResponseObject, 'description'>): string {
    const { headers = {}, content: media = {} } = rest;
    const content = JSON.stringify([status, headers, media]);
    const known = this.names.get(content);
    if (known !== undefined) return known;
    const usual = (STATUS_CODES[status] ?? status).replaceAll(/[^A-Za-z]/g, '');
    const limit = 'RateLimit' in headers ? '' : 'Unlimited';
    const retry = status === '409' && 'Retry-After' in headers ? 'WhileRunning' : '';
    const name = `${usual}${limit}${retry}`;
    if (name in this.all) throw new Error(`two responses would be named ${name}`);
    this.names.set(content, name);
    this.all[name] = { description: defaultMessage(Number(status)), ...rest };
    return name;
  }
}

const isError = ({ content }: ResponseObject): boolean => {
  const schema = content?.['application/json']?.schema;
  return schema !== undefined && '$ref' in schema && schema.$ref === ERROR_SCHEMA.$ref;
};

const defaultMessage = (status: number): string => {
  const [code] = codesOf(status);
  return code ? errorCodes[code].message : (STATUS_CODES[status] ?? '');
};

/** Gives each id in the path a schema with an example, without which Swagger UI sends no request. */
function completeIds({ parameters = [] }: Operation): void {
  for (const each of parameters) {
    if ('$ref' in each || each.in !== 'path' || !ID_NAME.test(each.name)) continue;
    each.schema = ID_SCHEMA;
    each.description ??= 'The id of the record';
  }
}

/** Moves the body that the route declares for each media type to its place. */
function completeBody(operation: Operation): void {
  const content = takeMark(operation, BODY_CONTENT);
  if (content) operation.requestBody = { required: true, content };
}

/** Removes a mark from the operation and returns it. */
function takeMark<Name extends keyof Marks>(operation: Operation, name: Name): Operation[Name] {
  const mark = operation[name];
  delete operation[name];
  return mark;
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
  const tagged = takeMark(operation, VERSIONED) ? /^(?:2\d\d|304|412)$/ : /^412$/;
  for (const [status, response] of Object.entries(operation.responses)) {
    if (!response || '$ref' in response || !tagged.test(status)) continue;
    response.headers = { ...response.headers, ETag: ENTITY_TAG };
  }
}

function errorsOf(isApi: boolean, method: (typeof METHODS)[number], operation: Operation): ErrorCode[] {
  // An unknown query parameter is rejected (except by the health routes), and so is a request without a Host.
  if (!isApi) return ['VALIDATION_ERROR'];
  const ifMatch = parameter(operation, 'header', 'If-Match');
  return [
    'VALIDATION_ERROR',
    ...(parameter(operation, 'path', 'id') ? (['NOT_FOUND'] as const) : []),
    ...(ifMatch ? (['PRECONDITION_FAILED'] as const) : []),
    ...(ifMatch?.required ? (['PRECONDITION_REQUIRED'] as const) : []),
    // A body is read and checked even where none is expected.
    ...(method === 'get' ? [] : (['PAYLOAD_TOO_LARGE', 'UNSUPPORTED_MEDIA_TYPE'] as const)),
    'RATE_LIMITED',
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

function describeResponses(operation: Operation, isLimited: boolean): void {
  for (const [status, response] of Object.entries(operation.responses)) {
    if (!response || '$ref' in response) continue;
    response.description ||= STATUS_CODES[status] ?? '';
    const error = isError(response);
    const names: SharedHeader[] = isLimited
      ? ['X-Request-Id', 'RateLimit-Policy', 'RateLimit']
      : ['X-Request-Id'];
    const headers = {
      ...Object.fromEntries(names.map((name) => [name, headerRef(name)])),
      ...response.headers,
      ...(error && headersOfErrors[Number(status)]),
    };
    // In one order, so that equal responses share a component.
    response.headers = Object.fromEntries(
      Object.entries(headers).toSorted(([one], [other]) => (one < other ? -1 : 1)),
    );
    const media = response.content?.['application/json'];
    if (error && media) media.examples = examplesOf(Number(status));
  }
}

/** Returns the error codes with that status. A database that cannot be reached is also a 503. */
function codesOf(status: number): ErrorCode[] {
  const codes = (Object.keys(errorCodes) as ErrorCode[]).filter((code) => errorCodes[code].status === status);
  return status === 503 ? [...codes, 'DB_ERROR'] : codes;
}

const examplesOf = (status: number) =>
  Object.fromEntries(
    codesOf(status).map((code) => [code, { value: errorEnvelope(exampleOf(code, status), REQUEST_ID) }]),
  );

const exampleOf = (code: ErrorCode, status: number): AppError =>
  code === 'VALIDATION_ERROR'
    ? AppError.invalid('email', 'email must be an email')
    : new AppError(code, { status });
