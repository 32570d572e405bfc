import { describe, expect, it } from '@jest/globals';
import fc from 'fast-check';
import { isPrivateAddress } from './private-addresses.js';

const byte = fc.nat(255);
const rest = (...fixed: number[]) =>
  fc
    .tuple(...Array.from({ length: 4 - fixed.length }, () => byte))
    .map((others) => [...fixed, ...others].join('.'));

/** Draws an IPv6 address whose first bits are those of the prefix. */
const within6 = (prefix: string, bits: number) =>
  fc.bigInt(0n, (1n << BigInt(128 - bits)) - 1n).map((host) => spell6(numberOf(prefix) | host));

const numberOf = (groups: string): bigint => {
  const [head = '', tail = ''] = groups.split('::');
  const left = head.split(':').filter(Boolean);
  const right = tail.split(':').filter(Boolean);
  const zeros = Array.from({ length: 8 - left.length - right.length }, () => '0');
  return BigInt(`0x${[...left, ...zeros, ...right].map((group) => group.padStart(4, '0')).join('')}`);
};
const spell6 = (value: bigint): string =>
  (value.toString(16).padStart(32, '0').match(/.{4}/g) ?? []).join(':');

const PRIVATE: readonly [string, fc.Arbitrary<string>][] = [
  ['0.0.0.0/8', rest(0)],
  ['10.0.0.0/8', rest(10)],
  ['100.64.0.0/10', fc.integer({ min: 64, max: 127 }).chain((second) => rest(100, second))],
  ['127.0.0.0/8', rest(127)],
  ['169.254.0.0/16', rest(169, 254)],
  ['172.16.0.0/12', fc.integer({ min: 16, max: 31 }).chain((second) => rest(172, second))],
  ['192.0.0.0/24', rest(192, 0, 0)],
  ['192.168.0.0/16', rest(192, 168)],
  ['198.18.0.0/15', fc.integer({ min: 18, max: 19 }).chain((second) => rest(198, second))],
  ['224.0.0.0/3', fc.integer({ min: 224, max: 255 }).chain((first) => rest(first))],
  ['loopback and unspecified', fc.constantFrom('::1', '::', '0:0:0:0:0:0:0:1')],
  ['mapped', within6('::ffff:0:0', 96)],
  ['mapped, with dots', rest().map((address) => `::ffff:${address}`)],
  ['compatible', within6('::', 96)],
  ['NAT64', within6('64:ff9b::', 96)],
  ['local NAT64', within6('64:ff9b:1::', 48)],
  ['Teredo', within6('2001::', 32)],
  ['documentation', within6('2001:db8::', 32)],
  ['6to4', within6('2002::', 16)],
  ['unique local', within6('fc00::', 7)],
  ['link-local', within6('fe80::', 10)],
  ['site-local', within6('fec0::', 10)],
  ['multicast', within6('ff00::', 8)],
  ['discard-only', within6('100::', 64)],
];

describe('isPrivateAddress', () => {
  it.each(PRIVATE)('is true for %s', (_, addresses) => {
    fc.assert(
      fc.property(addresses, (address) =>
        expect([address, isPrivateAddress(address)]).toEqual([address, true]),
      ),
    );
  });

  it.each(['fe80::1%eth0', '2606:4700::1%1', '', 'localhost', '0x7f.1', '2130706433', '127.1', '1.2.3.4.5'])(
    'is true for %j, which no resolver returns',
    (text) => expect(isPrivateAddress(text)).toBe(true),
  );

  it.each([
    '1.1.1.1',
    '8.8.8.8',
    '9.255.255.255',
    '11.0.0.0',
    '100.63.255.255',
    '100.128.0.0',
    '126.255.255.255',
    '128.0.0.0',
    '169.253.255.255',
    '172.15.255.255',
    '172.32.0.0',
    '192.0.1.0',
    '192.167.255.255',
    '198.17.255.255',
    '198.20.0.0',
    '223.255.255.255',
    '2606:4700:4700::1111',
    '2001:4860:4860::8888',
    '2001:200::1',
    '2a00:1450:4001::1',
  ])('is false for %s', (address) => expect(isPrivateAddress(address)).toBe(false));
});
