import { createParamDecorator } from '@nestjs/common';
import { requestContext } from '../../common/context/request-context.js';

/** The device and IP address that started a session. */
export interface Client {
  readonly device: string;
  readonly ip: string;
}

/** Injects the caller's user agent and IP address from the request context. */
export const ClientInfo = createParamDecorator((): Client => {
  const client = requestContext.current()?.client;
  return { device: client?.userAgent ?? '', ip: client?.ip ?? '' };
});
