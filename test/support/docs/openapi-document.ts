import { fullFormats } from 'ajv-formats/dist/formats.js';
import { Ajv2020 } from 'ajv/dist/2020.js';

/** The parts of an OpenAPI 3.1 document that the contract tests read. */
export interface Schema {
  readonly $ref?: string;
  readonly description?: string;
  readonly allOf?: readonly Schema[];
  readonly type?: string | readonly string[];
  readonly format?: string;
  readonly pattern?: string;
  readonly enum?: readonly unknown[];
  readonly items?: Schema;
  readonly properties?: Readonly<Record<string, Schema>>;
  readonly required?: readonly string[];
  readonly example?: unknown;
  readonly maxLength?: number;
  readonly minimum?: number;
  readonly maximum?: number;
  readonly maxItems?: number;
  readonly anyOf?: readonly Schema[];
  readonly oneOf?: readonly Schema[];
  readonly const?: unknown;
  readonly contentSchema?: Schema;
}

export interface Media {
  readonly schema?: Schema;
  readonly example?: unknown;
  readonly examples?: Readonly<Record<string, { readonly value: unknown }>>;
}

export interface Response {
  readonly $ref?: string;
  readonly description: string;
  readonly headers?: Readonly<Record<string, unknown>>;
  readonly content?: Readonly<Record<string, Media>>;
}

export interface Parameter {
  readonly name: string;
  readonly description?: string;
  readonly required?: boolean;
  readonly example?: unknown;
  readonly in: 'path' | 'query' | 'header';
  readonly schema: Schema;
}

export interface Operation {
  readonly operationId?: string;
  readonly summary?: string;
  readonly description?: string;
  readonly tags?: readonly string[];
  readonly security?: readonly Readonly<Record<string, readonly string[]>>[];
  readonly parameters?: readonly Parameter[];
  readonly requestBody?: { readonly content: Readonly<Record<string, Media>> };
  readonly responses: Readonly<Record<string, Response>>;
}

export interface Document {
  readonly openapi: string;
  readonly paths: Readonly<Record<string, Readonly<Record<string, Operation>>>>;
  readonly components: {
    readonly schemas: Readonly<Record<string, Schema>>;
    readonly responses: Readonly<Record<string, Response>>;
  };
}

/** Returns every operation of the document with its name, such as `GET /api/users/{id}`. */
export function operationsOf(document: Document): [name: string, operation: Operation][] {
  return Object.entries(document.paths).flatMap(([path, item]) =>
    Object.entries(item).map(([method, operation]): [string, Operation] => [
      `${method.toUpperCase()} ${path}`,
      operation,
    ]),
  );
}

/** Returns the document with each shared response in the place where a route refers to it. */
export function withResponses(document: Document): Document {
  const resolved = (response: Response): Response => {
    const { $ref, ...own } = response;
    if ($ref === undefined) return response;
    const found = document.components.responses[$ref.replace('#/components/responses/', '')];
    if (!found) throw new Error(`${$ref} is not in the document`);
    return { ...found, ...own };
  };
  const mapped = <From, To>(entries: Readonly<Record<string, From>>, map: (value: From) => To) =>
    Object.fromEntries(Object.entries(entries).map(([key, value]) => [key, map(value)]));
  const paths = mapped(document.paths, (item) =>
    mapped(item, (operation) => ({ ...operation, responses: mapped(operation.responses, resolved) })),
  );
  return { ...document, paths };
}

/** The public routes that do more for a caller with an access token. */
const OPEN_TO_MORE: ReadonlySet<string> = new Set(['POST /api/users']);

/** Returns the security that the document must state for an operation; `open` names the public ones. */
export function securityOf(name: string, open: ReadonlySet<string>): object[] {
  if (OPEN_TO_MORE.has(name)) return [{ bearer: [] }, {}];
  return open.has(name) ? [] : [{ [name === 'GET /metrics' ? 'metrics' : 'bearer']: [] }];
}

export function resolveSchema(document: Document, schema: Schema): Schema {
  const name = schema.$ref?.replace('#/components/schemas/', '');
  if (name === undefined) return schema;
  const found = document.components.schemas[name];
  if (!found) throw new Error(`${schema.$ref} is not in the document`);
  return found;
}

export interface RealAnswer {
  /** The operation's name, such as `GET /api/users/{id}` */
  readonly operation: string;
  readonly status: number;
  readonly type: string;
  readonly body: unknown;
}

/**
 * Returns a function that lists the differences between a value and the schema at a path in the document; none when
 * they agree, and null when there is no schema.
 */
export function schemaChecker(
  document: Document,
): (path: readonly (string | number)[], value: unknown) => string[] | null {
  const ajv = new Ajv2020({ strict: false, validateSchema: false, allErrors: true, formats: fullFormats });
  ajv.addSchema(closed(document) as object, 'document');
  return (path, value) => {
    const validate = ajv.getSchema(`document#/${path.map((part) => escaped(String(part))).join('/')}`);
    if (!validate) return null;
    if (validate(value)) return [];
    return (validate.errors ?? []).map((error) => `${error.instancePath} ${error.message}`);
  };
}

/**
 * Returns a function that lists the differences between a real response and the document; none when they
 * agree.
 */
export function answerChecker(document: Document): (answer: RealAnswer) => string[] {
  const check = schemaChecker(document);
  return ({ operation, status, type, body }) => {
    const [method = '', path = ''] = operation.split(' ');
    const response = document.paths[path]?.[method.toLowerCase()]?.responses[String(status)];
    if (!response) return [`${operation} does not document ${status}`];
    if (type === '') return response.content ? [`${operation} ${status} documents a body`] : [];
    const media = type.split(';', 1)[0] ?? '';
    if (!response.content?.[media]) return [`${operation} ${status} does not document ${media}`];
    const pointer = ['paths', path, method.toLowerCase(), 'responses', String(status), 'content', media];
    const faults = check([...pointer, 'schema'], body);
    if (!faults) return [`${operation} ${status} has no schema for ${media}`];
    return faults.map((fault) => `${operation} ${status}${fault}`);
  };
}

const escaped = (part: string): string =>
  encodeURIComponent(part.replaceAll('~', '~0').replaceAll('/', '~1'));

/** Returns a copy that forbids undocumented properties in every object. */
function closed(value: unknown): unknown {
  if (Array.isArray(value)) return value.map(closed);
  if (typeof value !== 'object' || value === null) return value;
  const copy = Object.fromEntries(Object.entries(value).map(([key, item]) => [key, closed(item)]));
  const isObject = copy['type'] === 'object' && copy['properties'] !== undefined;
  return isObject && copy['additionalProperties'] === undefined
    ? { ...copy, additionalProperties: false }
    : copy;
}

/** Returns the operations whose responses have a property with such a name. */
export function operationsThatTell(document: Document, name: RegExp): string[] {
  const schemas = Object.entries(document.components.schemas)
    .filter(([, { properties = {} }]) => Object.keys(properties).some((each) => name.test(each)))
    .map(([schema]) => `"#/components/schemas/${schema}"`);
  return operationsOf(document)
    .filter(([, { responses }]) => schemas.some((each) => JSON.stringify(responses).includes(each)))
    .map(([operation]) => operation)
    .toSorted();
}

/** Returns the names of the unbounded parts of a schema, prefixed with `name`. */
export function withoutBounds(document: Document, given: Schema, name: string): string[] {
  const schema = resolveSchema(document, given);
  const { type, properties, items, minimum, maximum, maxLength, maxItems, pattern, format } = schema;
  if (properties) {
    return Object.entries(properties).flatMap(([key, property]) =>
      withoutBounds(document, property, `${name} ${key}`),
    );
  }
  if (schema.oneOf) return schema.oneOf.flatMap((choice) => withoutBounds(document, choice, name));
  const bounded = {
    string:
      maxLength !== undefined || pattern !== undefined || format === 'uuid' || schema.enum !== undefined,
    integer: minimum !== undefined && maximum !== undefined,
    array: maxItems !== undefined && items !== undefined && withoutBounds(document, items, name).length === 0,
    boolean: true,
  };
  return Object.entries(bounded).some(([kind, is]) => kind === type && is) ? [] : [name];
}

/** Tells whether the document declares an `ETag` for such a response. */
export function documentsTag(document: Document, answer: { operation: string; status: number }): boolean {
  const [, operation] = operationsOf(document).find(([name]) => name === answer.operation) ?? [];
  return 'ETag' in (operation?.responses[answer.status]?.headers ?? {});
}

/** Tells whether the refusal has a schema of its own: a report of the checks, or an error of OFREP. */
export const hasOwnError = (name: string, status: string): boolean =>
  name.includes(' /health')
    ? status === '503'
    : name.includes(' /ofrep/') && /^(?:400|404|500)$/.test(status);
