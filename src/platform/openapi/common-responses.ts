import type { OpenAPIObject } from '@nestjs/swagger';
import { type ErrorCode, errorCodes } from '../../common/errors/error-codes.js';

type Operation = NonNullable<OpenAPIObject['paths'][string]['get']>;

const METHODS = ['get', 'post', 'put', 'patch', 'delete'] as const;
const ERROR_SCHEMA = { $ref: '#/components/schemas/ErrorResponse' };

/**
 * Adds what every route under `/api` can answer, so that no controller repeats it: the errors of
 * bodies, of input, of load and of time, each with an example of its envelope.
 */
export function completeErrors(document: OpenAPIObject): OpenAPIObject {
  for (const [path, item] of Object.entries(document.paths)) {
    for (const method of METHODS) {
      const operation = item[method];
      if (!operation) continue;
      const codes = path.startsWith('/api/') ? errorsOf(operation) : [];
      for (const code of codes) addResponse(operation, code);
      addExamples(operation);
    }
  }
  return document;
}

function errorsOf(operation: Operation): ErrorCode[] {
  const always: ErrorCode[] = ['INTERNAL_ERROR', 'OVERLOADED', 'TIMEOUT'];
  const takesInput = operation.requestBody !== undefined || (operation.parameters ?? []).length > 0;
  const takesBody: ErrorCode[] = ['PAYLOAD_TOO_LARGE', 'UNSUPPORTED_MEDIA_TYPE'];
  return [
    ...(takesInput ? (['VALIDATION_ERROR'] as const) : []),
    ...(operation.requestBody ? takesBody : []),
    ...always,
  ];
}

function addResponse(operation: Operation, code: ErrorCode): void {
  const { status, message } = errorCodes[code];
  operation.responses[status] ??= {
    description: message,
    content: { 'application/json': { schema: ERROR_SCHEMA } },
  };
}

function addExamples(operation: Operation): void {
  for (const [status, response] of Object.entries(operation.responses)) {
    const row = Object.entries(errorCodes).find(([, { status: own }]) => String(own) === status);
    if (!row || !response || '$ref' in response) continue;
    const media = response.content?.['application/json'];
    if (!media?.schema || !('$ref' in media.schema) || media.schema.$ref !== ERROR_SCHEMA.$ref) continue;
    const [code, { message }] = row;
    media.example = { error: { code, message, request_id: '0192f1c4-8a4e-7c31-9d52-3f6f0c2b7a10' } };
  }
}
