import { ROUTE_ARGS_METADATA, RouteParamtypes } from '@nestjs/common/internal';
import { type ExecutionContext, SetMetadata } from '@nestjs/common';

/**
 * The input that a handler's signature declares. Nest keeps it in metadata that only its `internal` entry
 * point names (@nestjs/swagger reads the same). A route test notices when an upgrade moves it.
 */
export interface RouteInput {
  readonly takesBody: boolean;
  readonly takesQuery: boolean;
  readonly ignoresQuery: boolean;
}

const IGNORES_QUERY = 'gatehouse:ignores-query';

/**
 * Ignores the query on every route of the controller, because probes and load balancers add their own
 * parameters.
 */
export const IgnoresQuery = (): ClassDecorator => SetMetadata(IGNORES_QUERY, true);

const known = new WeakMap<object, RouteInput>();

export function routeInput(context: ExecutionContext): RouteInput {
  const handler = context.getHandler();
  const found = known.get(handler);
  if (found) return found;
  const args: unknown = Reflect.getMetadata(ROUTE_ARGS_METADATA, context.getClass(), handler.name);
  const kinds = Object.keys(args ?? {}).map((key) => Number(key.split(':')[0]));
  const facts = {
    takesBody: kinds.includes(RouteParamtypes.BODY),
    takesQuery: kinds.includes(RouteParamtypes.QUERY),
    ignoresQuery: Reflect.getMetadata(IGNORES_QUERY, context.getClass()) === true,
  };
  known.set(handler, facts);
  return facts;
}
