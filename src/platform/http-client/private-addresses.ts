import { isIP } from 'node:net';
import ipaddr from 'ipaddr.js';

/** The IPv4 networks that are not reachable from everywhere (IANA registry of special-purpose addresses). */
const CLOSED_IPV4 = [
  '0.0.0.0/8', // this network; Linux connects 0.0.0.0 to the machine itself
  '10.0.0.0/8', // private
  '100.64.0.0/10', // shared by the customers of a carrier
  '127.0.0.0/8', // loopback
  '168.63.129.16/32', // the platform of Azure, which answers only its own machines
  '169.254.0.0/16', // link-local, with the metadata services of most clouds
  '172.16.0.0/12', // private
  '192.0.0.0/24', // protocol assignments
  '192.0.2.0/24', // documentation
  '192.88.99.0/24', // relays of 6to4
  '192.168.0.0/16', // private
  '198.18.0.0/15', // benchmarks
  '198.51.100.0/24', // documentation
  '203.0.113.0/24', // documentation
  '224.0.0.0/4', // multicast
  '240.0.0.0/4', // reserved, and broadcast
].map((network) => ipaddr.IPv4.parseCIDR(network));

/**
 * The only public IPv6 network. Everything else is loopback, unique local, link-local, multicast or reserved, or it
 * contains an IPv4 address: mapped (::ffff:0:0/96), compatible (::/96) and translated (64:ff9b::/96, 64:ff9b:1::/48).
 */
const GLOBAL_UNICAST = ipaddr.IPv6.parseCIDR('2000::/3');

/** The networks within {@link GLOBAL_UNICAST} that are not public. */
const CLOSED_IPV6 = [
  '2001::/23', // protocol assignments, with the tunnels of Teredo
  '2001:db8::/32', // documentation
  '2002::/16', // 6to4, which contains an IPv4 address
  '3fff::/20', // documentation
].map((network) => ipaddr.IPv6.parseCIDR(network));

/**
 * Returns true if an address is not a public unicast one, and for text that is no address. An IPv6 address that
 * contains an IPv4 address is private whatever that address is, because a translator decides where it leads.
 * @param address in the spelling of the resolver or of a URL, without brackets
 */
export function isPrivateAddress(address: string): boolean {
  // The library also reads `0x7f.1` and `10`, which never come from a resolver or a parsed URL.
  if (isIP(address) === 0 || address.includes('%')) return true;
  const parsed = ipaddr.parse(address);
  if (parsed instanceof ipaddr.IPv4) return CLOSED_IPV4.some((network) => parsed.match(network));
  return !parsed.match(GLOBAL_UNICAST) || CLOSED_IPV6.some((network) => parsed.match(network));
}
