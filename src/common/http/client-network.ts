import ipaddr from 'ipaddr.js';

/** Of all callers of whom a proxy said no address. */
const UNKNOWN = 'unknown';
/** Some proxies add the port to the address that they forward, and then put one of IPv6 in brackets. */
const WITH_PORT = /^(?:\[(?<v6>[^\]]+)\](?::\d{1,5})?|(?<v4>[\d.]+):\d{1,5})$/;

/** The address in its usual spelling, without a port; whatever is none is `unknown`. */
export function clientAddress(forwarded: string): string {
  const { v4, v6 } = WITH_PORT.exec(forwarded)?.groups ?? {};
  const address = v6 ?? v4 ?? forwarded;
  return ipaddr.isValid(address) ? ipaddr.process(address).toString() : UNKNOWN;
}

/**
 * What one caller cannot change at will: an IPv4 address, or the /64 network of an IPv6 address, of
 * which every household has a whole one (RFC 6177).
 */
export function clientNetwork(forwarded: string): string {
  const known = clientAddress(forwarded);
  if (known === UNKNOWN) return UNKNOWN;
  const address = ipaddr.parse(known);
  if (address.kind() === 'ipv4') return known;
  const [a, b, c, d] = (address as ipaddr.IPv6).parts;
  return `${[a, b, c, d].map((part) => (part ?? 0).toString(16)).join(':')}::/64`;
}
