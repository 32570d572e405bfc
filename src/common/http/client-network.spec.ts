import { once } from 'node:events';
import { createServer, type Server } from 'node:http';
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import express from 'express';
import fc from 'fast-check';
import supertest from 'supertest';
import { clientAddress, clientNetwork, trustedProxies } from './client-network.js';

describe('clientNetwork', () => {
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
    ['\t203.0.113.7 ', '203.0.113.7'],
    ['[::ffff:203.0.113.7]:443', '203.0.113.7'],
    ['[fe80::1%eth0.100]:443', 'fe80:0:0:0::/64'],
    ['203.0.113.7:65535', '203.0.113.7'],
    ['[203.0.113.7]', 'unknown'],
    ['[203.0.113.7]:1', 'unknown'],
    ['203.0.113.7:65536', 'unknown'],
    ['203.0.113.7:123456', 'unknown'],
    ['[2001:db8::1]:65536', 'unknown'],
    ['203.0.113.7:', 'unknown'],
    ['203.0.113.7]', 'unknown'],
    ['[203.0.113.7', 'unknown'],
    ['010.0.0.5', 'unknown'],
    ['0x7f.1', 'unknown'],
    ['10', 'unknown'],
  ])('maps %s to %s', (address, network) => {
    expect(clientNetwork(address)).toBe(network);
  });

  const group = fc.integer({ min: 0, max: 0xffff }).map((value) => value.toString(16));
  const half = fc.array(group, { minLength: 4, maxLength: 4 }).map((groups) => groups.join(':'));
  // ::ffff:0:0/96 holds IPv4 addresses in another spelling.
  const household = half.filter((network) => network !== '0:0:0:0');

  it('maps two addresses to the same network only if they share a /64', () => {
    fc.assert(
      fc.property(household, household, half, half, (one, other, first, second) => {
        expect(clientNetwork(`${one}:${first}`)).toBe(clientNetwork(`${one}:${second}`));
        expect(clientNetwork(`${one}:${first}`) === clientNetwork(`${other}:${first}`)).toBe(one === other);
      }),
    );
  });
});

describe('trustedProxies', () => {
  const PROXIES = ['127.0.0.1', '10.0.0.0/8', 'fd00::/8', 'fe80::/10', '::ffff:192.168.0.0/120'];
  let server: Server;
  beforeAll(async () => {
    const app = express();
    app.set('trust proxy', trustedProxies(PROXIES));
    app.use((request, response) => void response.send(clientAddress(request.ip ?? '')));
    server = createServer(app).listen(0, '127.0.0.1');
    await once(server, 'listening');
  });
  afterAll(() => {
    server.closeAllConnections();
    server.close();
  });

  async function clientOf(forwarded: string): Promise<string> {
    const answer = await supertest(server).get('/').set('X-Forwarded-For', forwarded).expect(200);
    return answer.text;
  }

  it.each([
    ['203.0.113.7, 10.0.0.5', '203.0.113.7'],
    ['203.0.113.7, 10.0.0.5:443', '203.0.113.7'],
    ['203.0.113.7:4711,10.0.0.5:443', '203.0.113.7'],
    ['203.0.113.7, [10.0.0.5]:443', 'unknown'],
    ['203.0.113.7, 10.0.0.5:99999', 'unknown'],
    ['203.0.113.7, ::ffff:10.0.0.5', '203.0.113.7'],
    ['203.0.113.7, [::ffff:a00:5]:443', '203.0.113.7'],
    ['203.0.113.7, fe80::5%eth0', '203.0.113.7'],
    ['203.0.113.7, [fe80::5%eth0.100]:443', '203.0.113.7'],
    ['203.0.113.7, 192.168.9.9:80', '192.168.9.9'],
    ['203.0.113.7, 192.168.0.9:80', '203.0.113.7'],
    ['1.1.1.1, 203.0.113.7, 10.0.0.5:443', '203.0.113.7'],
    ['203.0.113.7, nonsense', 'unknown'],
    ['203.0.113.7, 010.0.0.5', 'unknown'],
    ['203.0.113.7, 10.0.0.5:443 garbage', 'unknown'],
    ['', '127.0.0.1'],
  ])('resolves X-Forwarded-For %s to %s', async (forwarded, client) => {
    expect(await clientOf(forwarded)).toBe(client);
  });

  const port = fc.constantFrom('', ':1', ':443', ':65535');
  const proxy = fc
    .oneof(
      fc.ipV4().map((address) => address.replace(/^\d+/, '10')),
      fc.ipV4().map((address) => `::ffff:${address.replace(/^\d+/, '10')}`),
      fc.nat({ max: 0xffff }).map((host) => `fd00::1:${host.toString(16)}`),
      fc.nat({ max: 0xfffe }).map((host) => `fe80::${(host + 1).toString(16)}%eth0`),
    )
    .chain((address) =>
      port.map((end) => (address.includes(':') && end ? `[${address}]${end}` : `${address}${end}`)),
    );
  const client = fc.nat({ max: 255 }).map((host) => `203.0.113.${host}`);
  const spelled = (address: string) =>
    fc.constantFrom(address, `${address}:4711`, `::ffff:${address}`, `[::ffff:${address}]:1`);
  const whatever = fc.oneof(
    fc.string({ unit: fc.integer({ min: 0x20, max: 0x7e }).map((code) => String.fromCodePoint(code)) }),
    fc.ipV4Extended(),
    fc.ipV6(),
    proxy,
  );

  it('finds the client that connected to the proxies, whatever it claims and in any spelling', async () => {
    const lists = client.chain((address) =>
      fc.record({
        address: fc.constant(address),
        claimed: fc.array(whatever, { maxLength: 4 }),
        written: spelled(address),
        passed: fc.array(proxy, { maxLength: 4 }),
      }),
    );
    await fc.assert(
      fc.asyncProperty(lists, async ({ address, claimed, written, passed }) => {
        expect(await clientOf([...claimed, written, ...passed].join(', '))).toBe(address);
      }),
      { numRuns: 300 },
    );
  });

  it('maps all clients to one address when the last entry is not an address', async () => {
    const nonsense = fc.stringMatching(/^[a-z_;=\][%-]{1,20}$/);
    await fc.assert(
      fc.asyncProperty(client, nonsense, proxy, async (address, text, last) => {
        expect(await clientOf(`${address}, ${text}, ${last}`)).toBe('unknown');
      }),
      { numRuns: 100 },
    );
  });
});
