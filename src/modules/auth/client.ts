import { createParamDecorator } from '@nestjs/common';
import { requestContext } from '../../common/context/request-context.js';

/** Where a session was started from. */
export interface Client {
  readonly device: string;
  readonly ip: string;
}

/** The caller's device and address, as the request's context has them. */
export const ClientInfo = createParamDecorator((): Client => {
  const client = requestContext.current()?.client;
  return { device: client?.userAgent ?? '', ip: client?.ip ?? '' };
});
