import { createParamDecorator } from '@nestjs/common';
import { requestContext } from './request-context.js';
import type { Principal } from '../authorization/principal.types.js';

/** Injects the authenticated caller into the handler of a public route, or null for an anonymous request. */
export const OptionalCaller = createParamDecorator(
  (): Principal | null => requestContext.current()?.caller.principal ?? null,
);
