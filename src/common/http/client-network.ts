import ipaddr from 'ipaddr.js';

/**
 * What one caller cannot change at will: an IPv4 address, or the /64 network of an IPv6 address, of
 * which every household has a whole one (RFC 6177).
 */
export function clientNetwork(ip: string): string {
  if (!ipaddr.isValid(ip)) return ip;
  const address = ipaddr.process(ip);
  if (address.kind() === 'ipv4') return address.toString();
  const [a, b, c, d] = (address as ipaddr.IPv6).parts;
  return `${[a, b, c, d].map((part) => (part ?? 0).toString(16)).join(':')}::/64`;
}
