import type { Request } from 'express';
import type { RequestOrigin } from '../context/request-context.js';
import { clientAddress } from './client-network.js';

const MAX_USER_AGENT_LENGTH = 256;

/**
 * Returns the client's IP address and user agent. A proxy's claim about the address counts only if the proxy
 * is trusted.
 */
export function requestOriginOf(request: Request): RequestOrigin {
  const userAgent = (request.headers['user-agent'] ?? '').replace(/\p{Cc}/gu, ' ').toWellFormed();
  return { ip: clientAddress(request.ip ?? ''), userAgent: userAgent.slice(0, MAX_USER_AGENT_LENGTH) };
}
