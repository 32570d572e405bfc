import { describe, expect, it } from '@jest/globals';
import fc from 'fast-check';
import { clientNetwork } from './client-network.js';

describe('the network of a client', () => {
  it.each([
    ['203.0.113.7', '203.0.113.7'],
    ['::ffff:203.0.113.7', '203.0.113.7'],
    ['::FFFF:cb00:7107', '203.0.113.7'],
    ['2001:db8:1:2:3:4:5:6', '2001:db8:1:2::/64'],
    ['2001:0DB8:0001:0002::1', '2001:db8:1:2::/64'],
    ['::1', '0:0:0:0::/64'],
    ['fe80::1%eth0', 'fe80:0:0:0::/64'],
    ['203.0.113.7:4711', '203.0.113.7'],
    ['[2001:db8:1:2::9]:4711', '2001:db8:1:2::/64'],
    ['[2001:db8:1:2::9]', '2001:db8:1:2::/64'],
    ['', 'unknown'],
    ['<b>', 'unknown'],
    ['999.1.1.1:80', 'unknown'],
    ['unknown', 'unknown'],
  ])('of %s is %s', (address, network) => {
    expect(clientNetwork(address)).toBe(network);
  });

  const group = fc.integer({ min: 0, max: 0xffff }).map((value) => value.toString(16));
  const half = fc.array(group, { minLength: 4, maxLength: 4 }).map((groups) => groups.join(':'));
  // ::ffff:0:0/96 are IPv4 addresses in another spelling.
  const household = half.filter((network) => network !== '0:0:0:0');

  it('is the same for every address of one /64, and another for every other /64', () => {
    fc.assert(
      fc.property(household, household, half, half, (one, other, first, second) => {
        expect(clientNetwork(`${one}:${first}`)).toBe(clientNetwork(`${one}:${second}`));
        expect(clientNetwork(`${one}:${first}`) === clientNetwork(`${other}:${first}`)).toBe(one === other);
      }),
    );
  });
});
