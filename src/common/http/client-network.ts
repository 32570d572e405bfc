import { isIP } from 'node:net';
import ipaddr from 'ipaddr.js';
import { LRUCache } from 'lru-cache';

type Address = ipaddr.IPv4 | ipaddr.IPv6;

/** The address of every client whose proxy sent no usable one. */
const UNKNOWN = 'unknown';
/**
 * An entry of X-Forwarded-For, which has no standard grammar. Accepts an address, an IPv6 address in
 * brackets, and an IPv4 or bracketed IPv6 address with a port. The port of an IPv6 address is ambiguous
 * without brackets.
 */
const ENTRY =
  /^(?:\[(?<bracketed>[^\]]+)\](?::(?<port>\d{1,5}))?|(?<v4>[\d.]+):(?<v4port>\d{1,5})|(?<bare>[^[\]]+))$/;
const MAX_PORT = 65_535;
/** The interface of a link-local address, which is only meaningful on its own machine (RFC 4007). */
const ZONE = /%.*$/;
const MAPPED_BITS = 96;
/** The number of addresses whose canonical spelling is remembered, because most requests come from the same few. */
const MAX_REMEMBERED = 1000;
/** The longest text that is remembered. An address with its brackets and port has at most 53 characters. */
const MAX_REMEMBERED_LENGTH = 64;
const remembered = new LRUCache<string, string>({ max: MAX_REMEMBERED });

/** Returns the address in its canonical spelling without a port, or `unknown`. */
export function clientAddress(forwarded: string): string {
  const known = remembered.get(forwarded);
  if (known !== undefined) return known;
  const address = parseEntry(forwarded)?.toString() ?? UNKNOWN;
  if (forwarded.length <= MAX_REMEMBERED_LENGTH) remembered.set(forwarded, address);
  return address;
}

/** Returns the canonical spelling of an IP address that a person typed, or null for other text. */
export const findCanonicalAddress = (text: string): string | null => parseAddress(text)?.toString() ?? null;

/** Returns false when the proxy of the client sent no usable address or the request has none. */
export const isClientAddress = (address: string): boolean => address !== UNKNOWN && address !== '';

/**
 * Returns the part of the address that a client cannot change at will: an IPv4 address, or the /64 network of
 * an IPv6 address. Every household gets a whole /64 (RFC 6177).
 */
export function clientNetwork(forwarded: string): string {
  const address = parseEntry(forwarded);
  if (address === null) return UNKNOWN;
  if (!isIPv6(address)) return address.toString();
  const [a, b, c, d] = address.parts;
  return `${[a, b, c, d].map((part) => (part ?? 0).toString(16)).join(':')}::/64`;
}

/**
 * Returns a predicate that matches the addresses of these proxies. Express applies it to the connection and
 * then to the entries of X-Forwarded-For from the right. The first address that does not match is the client.
 * It parses entries with the same grammar as the client's address.
 * @param networks the value of TRUSTED_PROXIES
 */
export function trustedProxies(networks: readonly string[]): (forwarded: string) => boolean {
  const ranges = networks.map(parseNetwork);
  return (forwarded) => {
    const address = parseEntry(forwarded);
    return address !== null && ranges.some(([network, bits]) => isWithin(address, network, bits));
  };
}

function parseEntry(forwarded: string): Address | null {
  const { bracketed, port, v4, v4port, bare } = ENTRY.exec(forwarded.trim())?.groups ?? {};
  if (Number(port ?? v4port ?? 0) > MAX_PORT) return null;
  if (bracketed !== undefined && isIP(bracketed) !== 6) return null;
  return parseAddress(bracketed ?? v4 ?? bare ?? '');
}

/**
 * Parses with Node's grammar, because the library also reads `10`, `0x7f.1` and `010.0.0.5` in its own way.
 */
function parseAddress(text: string): Address | null {
  if (isIP(text) === 0) return null;
  return ipaddr.process(text.replace(ZONE, ''));
}

function parseNetwork(text: string): readonly [Address, number] {
  const [address = '', bits] = text.split('/');
  const network = ipaddr.parse(address.replace(ZONE, ''));
  const length = bits === undefined ? network.toByteArray().length * 8 : Number(bits);
  // Converts a network of mapped addresses to IPv4, because addresses are compared as IPv4.
  const mapped = isIPv6(network) && network.isIPv4MappedAddress() && length >= MAPPED_BITS;
  return mapped ? [network.toIPv4Address(), length - MAPPED_BITS] : [network, length];
}

const isIPv6 = (address: Address): address is ipaddr.IPv6 => address.kind() === 'ipv6';

function isWithin(address: Address, network: Address, bits: number): boolean {
  return address.kind() === network.kind() && address.match(network, bits);
}
