import { Ajv2020 } from 'ajv/dist/2020.js';

/*
 * The responses of the OpenFeature Remote Evaluation Protocol 0.3.0, restated from the schemas of its OpenAPI document
 * (https://github.com/open-feature/protocol, service/openapi.yaml, Apache-2.0) without descriptions, examples and event
 * streams. One part is stricter than the document: `codeDefaultFlag` says in words only that it has no value, and without
 * this every value would match two alternatives of a `oneOf`. An integer would still match two; no flag of ours has one.
 */
const metadata = {
  type: 'object',
  additionalProperties: { oneOf: [{ type: 'boolean' }, { type: 'string' }, { type: 'number' }] },
};
const valueOf = (type: string) => ({
  type: 'object',
  properties: { value: { type } },
  required: ['value'],
});
const failureOf = (...errorCodes: string[]) => ({
  type: 'object',
  properties: {
    key: { type: 'string' },
    errorCode: { type: 'string', enum: errorCodes },
    errorDetails: { type: 'string' },
    metadata,
  },
  required: ['key', 'errorCode'],
});

const evaluationSuccess = {
  type: 'object',
  required: ['key', 'reason'],
  allOf: [
    {
      properties: {
        key: { type: 'string' },
        reason: { type: 'string', enum: ['STATIC', 'TARGETING_MATCH', 'SPLIT', 'DISABLED', 'UNKNOWN'] },
        variant: { type: 'string' },
        metadata,
      },
    },
    {
      oneOf: [
        ...['boolean', 'string', 'integer', 'number', 'object'].map(valueOf),
        { type: 'object', not: { required: ['value'] } },
      ],
    },
  ],
};
const evaluationFailure = failureOf('PARSE_ERROR', 'TARGETING_KEY_MISSING', 'INVALID_CONTEXT', 'GENERAL');

const schemas = {
  evaluationSuccess,
  evaluationFailure,
  flagNotFound: failureOf('FLAG_NOT_FOUND'),
  bulkEvaluationSuccess: {
    type: 'object',
    required: ['flags'],
    properties: {
      flags: { type: 'array', items: { oneOf: [evaluationSuccess, evaluationFailure] } },
      metadata,
    },
  },
  bulkEvaluationFailure: {
    type: 'object',
    properties: { errorCode: { type: 'string' }, errorDetails: { type: 'string' } },
    required: ['errorCode'],
  },
  generalErrorResponse: { type: 'object', properties: { errorDetails: { type: 'string' } } },
} as const;

export type OfrepSchema = keyof typeof schemas;

const ajv = new Ajv2020({ strict: false, allErrors: true });

/** Returns what is wrong with a response of OFREP; nothing when it conforms. */
export function ofrepFaults(name: OfrepSchema, body: unknown): string[] {
  const validate = ajv.compile(schemas[name]);
  if (validate(body)) return [];
  return (validate.errors ?? []).map(({ instancePath, message }) => `${instancePath} ${message}`);
}
