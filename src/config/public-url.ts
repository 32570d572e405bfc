import { isIPv6 } from 'node:net';

const ON_THIS_MACHINE: ReadonlySet<string> = new Set(['127.0.0.1', '::1', '0.0.0.0', '::', 'localhost']);

interface Issuing {
  readonly NODE_ENV: string;
  readonly PUBLIC_URL: string;
}

/** The address of a service that nobody gave another one. */
export function localUrl(host: string, port: number): string {
  if (ON_THIS_MACHINE.has(host)) return `http://localhost:${port}`;
  return `http://${isIPv6(host) ? `[${host}]` : host}:${port}`;
}

/**
 * The issuer that a token must name. Outside production instances on one machine differ in their ports and
 * share a database: a token of each is good for all, and its signature tells that it is ours.
 */
export function requiredIssuer(config: Issuing): { readonly issuer?: string } {
  const isLocal = config.NODE_ENV !== 'production' && new URL(config.PUBLIC_URL).hostname === 'localhost';
  return isLocal ? {} : { issuer: config.PUBLIC_URL };
}
