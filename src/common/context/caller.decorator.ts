import { createParamDecorator } from '@nestjs/common';
import { requestContext } from './request-context.js';
import type { Principal } from '../authorization/principal.types.js';

/** Injects the authenticated caller into a handler that is not public. */
export const Caller = createParamDecorator((): Principal => {
  const principal = requestContext.current()?.caller.principal;
  if (!principal) throw new Error('a public route has no caller');
  return principal;
});
