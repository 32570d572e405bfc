import { createParamDecorator, type ExecutionContext } from '@nestjs/common';
import type { Request } from 'express';

/** Injects the header `Accept-Language` as the client sent it, or undefined when it is absent. */
export const AcceptLanguage = createParamDecorator(
  (_: unknown, context: ExecutionContext): string | undefined =>
    context.switchToHttp().getRequest<Request>().headers['accept-language'],
);
