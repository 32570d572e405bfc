import { isIP } from 'node:net';
import ipaddr from 'ipaddr.js';

type Address = ipaddr.IPv4 | ipaddr.IPv6;

/** Of all callers of whom a proxy said no address. */
const UNKNOWN = 'unknown';
/**
 * An entry of X-Forwarded-For, which has no grammar of its own: an address, an IPv6 address in brackets, and an IPv4 or
 * a bracketed address with a port. Without brackets the port of an IPv6 address could not be told from the address.
 */
const ENTRY =
  /^(?:\[(?<bracketed>[^\]]+)\](?::(?<port>\d{1,5}))?|(?<v4>[\d.]+):(?<v4port>\d{1,5})|(?<bare>[^[\]]+))$/;
const MAX_PORT = 65_535;
/** The interface of a link-local address, which means something on that machine alone (RFC 4007). */
const ZONE = /%.*$/;
const MAPPED_BITS = 96;

/** The address in its usual spelling, without a port; whatever is none is `unknown`. */
export function clientAddress(forwarded: string): string {
  return parseEntry(forwarded)?.toString() ?? UNKNOWN;
}

/**
 * What one caller cannot change at will: an IPv4 address, or the /64 network of an IPv6 address, of
 * which every household has a whole one (RFC 6177).
 */
export function clientNetwork(forwarded: string): string {
  const address = parseEntry(forwarded);
  if (address === null) return UNKNOWN;
  if (!isIPv6(address)) return address.toString();
  const [a, b, c, d] = address.parts;
  return `${[a, b, c, d].map((part) => (part ?? 0).toString(16)).join(':')}::/64`;
}

/**
 * Returns what tells whether an address is one of these proxies: Express asks it of the connection and then of each
 * entry of X-Forwarded-For from the right, and the first that is none is the client. Every entry is read by the same
 * grammar as the client's own address.
 * @param networks as TRUSTED_PROXIES holds them
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

/** By Node's grammar: the library would also read `10`, `0x7f.1` and `010.0.0.5`, each as it likes. */
function parseAddress(text: string): Address | null {
  if (isIP(text) === 0) return null;
  return ipaddr.process(text.replace(ZONE, ''));
}

function parseNetwork(text: string): readonly [Address, number] {
  const [address = '', bits] = text.split('/');
  const network = ipaddr.parse(address.replace(ZONE, ''));
  const length = bits === undefined ? network.toByteArray().length * 8 : Number(bits);
  // A network of mapped addresses is one of IPv4: as such its addresses are compared.
  const mapped = isIPv6(network) && network.isIPv4MappedAddress() && length >= MAPPED_BITS;
  return mapped ? [network.toIPv4Address(), length - MAPPED_BITS] : [network, length];
}

const isIPv6 = (address: Address): address is ipaddr.IPv6 => address.kind() === 'ipv6';

function isWithin(address: Address, network: Address, bits: number): boolean {
  return address.kind() === network.kind() && address.match(network, bits);
}
