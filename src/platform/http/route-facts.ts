import { ROUTE_ARGS_METADATA, RouteParamtypes } from '@nestjs/common/internal';
import { type ExecutionContext, SetMetadata } from '@nestjs/common';
import { type Policy, declaredPolicy } from '../../common/authorization/policy.decorator.js';
import { type FlagCondition, flagConditionOf } from '../feature-flags/behind-flag.decorator.js';
import { isVersioned } from '../../common/http/preconditions/versioned.decorator.js';
import { operationalRoute } from '../../common/http/operational.decorator.js';
import { formParameters } from './body/form-body.decorator.js';
import { type ErrorExtension, errorExtensionOf } from './answers/error-extension.decorator.js';
import { streamedTypes } from './body/streamed-body.decorator.js';

/** The facts that a route declares, and those that its handler's signature shows. */
export interface RouteFacts {
  /** A route without a policy refuses every caller. */
  readonly policy: Policy | undefined;
  /** True for a route that works without the database: it looks up no caller and counts against no rate limit. */
  readonly isOperational: boolean;
  /** The flag that must be on for the caller. */
  readonly flag: FlagCondition | undefined;
  readonly takesBody: boolean;
  readonly takesQuery: boolean;
  readonly ignoresQuery: boolean;
  /** The types of a body that the handler reads itself; null for a JSON body, which is read beforehand. */
  readonly streamedTypes: readonly string[] | null;
  /** The parameters of a form that the handler reads; null for a route whose body must not be a form. */
  readonly formParameters: readonly string[] | null;
  /** True when the response is a record with an ETag. */
  readonly isVersioned: boolean;
  /** Adds what the protocol of the route wants in the body of an error. */
  readonly errorExtension: ErrorExtension | undefined;
}

const IGNORES_QUERY = 'gatehouse:ignores-query';

/**
 * Ignores the query on every route of the controller, because probes and load balancers add their own
 * parameters.
 */
export const IgnoresQuery = (): ClassDecorator => SetMetadata(IGNORES_QUERY, true);

const known = new WeakMap<object, RouteFacts>();

/** Returns the facts of the route, which are read once for each handler. */
export function routeFacts(context: ExecutionContext): RouteFacts {
  const handler = context.getHandler();
  const found = known.get(handler);
  if (found) return found;
  const facts = readFacts(handler, context.getClass());
  known.set(handler, facts);
  return facts;
}

/**
 * Nest keeps the signature in metadata that only its `internal` entry point names (@nestjs/swagger reads the same). A
 * route test notices when an upgrade moves it.
 */
function readFacts(handler: ReturnType<ExecutionContext['getHandler']>, controller: object): RouteFacts {
  const args: unknown = Reflect.getMetadata(ROUTE_ARGS_METADATA, controller, handler.name);
  const kinds = Object.keys(args ?? {}).map((key) => Number(key.split(':')[0]));
  return {
    policy: declaredPolicy(handler, controller),
    isOperational: operationalRoute(handler, controller) !== undefined,
    flag: flagConditionOf(handler, controller),
    takesBody: kinds.includes(RouteParamtypes.BODY),
    takesQuery: kinds.includes(RouteParamtypes.QUERY),
    ignoresQuery: Reflect.getMetadata(IGNORES_QUERY, controller) === true,
    streamedTypes: streamedTypes(handler),
    formParameters: formParameters(handler),
    isVersioned: isVersioned(handler),
    errorExtension: errorExtensionOf(controller),
  };
}
