import { isIP, isIPv6 } from 'node:net';
import ipaddr from 'ipaddr.js';

/** One label of a host name. */
const LABEL = /^(?!-)[a-z0-9-]{1,63}(?<!-)$/i;
const MAPPED_BITS = 96;
/** The shortest prefixes of networks that one organization holds. */
const MIN_PREFIX_V4 = 8;
const MIN_PREFIX_V6 = 16;

/**
 * Returns true if the value is a URL with one of these schemes whose percent-encoded parts can be decoded.
 */
export function isUrl(value: string, schemes: readonly string[]): boolean {
  if (!URL.canParse(value)) return false;
  const { protocol, username, password, pathname } = new URL(value);
  return schemes.includes(protocol) && [username, password, pathname].every(isDecodable);
}

/**
 * Returns true for the address of a service that is served at the root of its host. A path would be missing from what
 * the service refers to by path, such as its `Link` and `Location` headers and `/.well-known`.
 */
export const isHttpOrigin = (value: string): boolean =>
  isHttpAddress(value) && /^\/*$/.test(new URL(value).pathname);

/** Returns true for an `http` or `https` URL without credentials, a query or a fragment. */
export function isHttpAddress(value: string): boolean {
  if (!isUrl(value, ['http:', 'https:']) || /[?#]/.test(value)) return false;
  const { username, password } = new URL(value);
  return username === '' && password === '';
}

/** Returns true for a Redis URL. Its path, if any, must be the number of a database. */
export const isRedisUrl = (value: string): boolean =>
  isUrl(value, ['redis:', 'rediss:']) && /^\/?\d{0,5}$/.test(new URL(value).pathname);

/** Returns true for an IP address or a host name. A name whose last label is a number is neither. */
export function isHost(value: string): boolean {
  if (isIP(value) !== 0) return true;
  const labels = value.replace(/\.$/, '').split('.');
  return (
    value.length <= 253 && labels.every((label) => LABEL.test(label)) && !/^\d+$/.test(labels.at(-1) ?? '')
  );
}

/**
 * Returns an address, or a network in CIDR notation, in the spelling that every address parser knows; null
 * otherwise. Rejects a network with a large share of all addresses, because trusting it would trust every
 * client. Converts mapped IPv6 to IPv4.
 */
export function canonicalNetwork(value: string): string | null {
  const [address = '', bits, more] = value.split('/');
  if (isIP(address) === 0 || address.includes('%') || more !== undefined) return null;
  if (!ipaddr.isValid(address)) return null;
  const parsed = ipaddr.process(address);
  if (bits === undefined) return parsed.toString();
  if (!/^\d{1,3}$/.test(bits)) return null;
  const isMapped = isIPv6(address) && parsed.kind() === 'ipv4';
  const count = Number(bits) - (isMapped ? MAPPED_BITS : 0);
  const [shortest, longest] = parsed.kind() === 'ipv4' ? [MIN_PREFIX_V4, 32] : [MIN_PREFIX_V6, 128];
  if (count < shortest || count > longest || coversAllIpv4(parsed, count)) return null;
  return `${parsed.toString()}/${count}`;
}

/**
 * Returns true if an IPv6 network contains every mapped IPv4 address. Express compares IPv4 addresses with it
 * in that form.
 */
function coversAllIpv4(network: ipaddr.IPv4 | ipaddr.IPv6, bits: number): boolean {
  if (network instanceof ipaddr.IPv4 || bits > MAPPED_BITS) return false;
  return ipaddr.IPv6.parse('::ffff:0:0').match(network, bits);
}

function isDecodable(text: string): boolean {
  try {
    decodeURIComponent(text);
    return true;
  } catch {
    return false;
  }
}
