import { createParamDecorator } from '@nestjs/common';
import { requestContext, type RequestOrigin } from './request-context.js';

/** The origin of the request, as a parameter of a handler. */
export const Origin = createParamDecorator(
  (): RequestOrigin => requestContext.current()?.origin ?? { ip: '', userAgent: '' },
);
