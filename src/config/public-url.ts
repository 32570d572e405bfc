import { isIPv6 } from 'node:net';

const LOOPBACK_HOSTS: ReadonlySet<string> = new Set(['127.0.0.1', '::1', '0.0.0.0', '::', 'localhost']);

/** Returns the default address of a service without PUBLIC_URL. */
export function localUrl(host: string, port: number): string {
  if (LOOPBACK_HOSTS.has(host)) return `http://localhost:${port}`;
  return `http://${isIPv6(host) ? `[${host}]` : host}:${port}`;
}
