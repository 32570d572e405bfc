import { createParamDecorator, type ExecutionContext } from '@nestjs/common';
import type { Request } from 'express';
import { clientAddress } from '../../common/http/client-network.js';

const MAX_DEVICE_LENGTH = 256;

/** Where a session was started from. */
export interface Client {
  readonly device: string;
  readonly ip: string;
}

/** The caller's device and address; a proxy's word for the address counts only if the proxy is configured. */
export const ClientInfo = createParamDecorator((_: unknown, context: ExecutionContext): Client => {
  const request = context.switchToHttp().getRequest<Request>();
  const agent = (request.get('user-agent') ?? '').replace(/\p{Cc}/gu, ' ').toWellFormed();
  return { device: agent.slice(0, MAX_DEVICE_LENGTH), ip: clientAddress(request.ip ?? '') };
});
