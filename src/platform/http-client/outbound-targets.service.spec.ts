import { describe, expect, it } from '@jest/globals';
import fc from 'fast-check';
import { OutboundTargetsService } from './outbound-targets.service.js';

const closed = new OutboundTargetsService({ OUTBOUND_ALLOW_PRIVATE: false });
const open = new OutboundTargetsService({ OUTBOUND_ALLOW_PRIVATE: true });
const PRIVATE = 'url must not lead to a private address';

describe('OutboundTargetsService', () => {
  it.each([
    'https://example.com',
    'https://example.com:8443/a?b=c',
    'https://1.1.1.1/',
    'https://localhost/',
  ])('accepts %s', (url) => expect(closed.faultOf(url)).toBeNull());

  it.each([
    ['example.com', 'url must be a URL'],
    ['https://', 'url must be a URL'],
    [' https://example.com', 'url must be a URL'],
    ['https://exam\nple.com/', 'url must be a URL'],
    ['https://[fe80::1%25eth0]/', 'url must be a URL'],
    ['http://example.com/', 'url must use https'],
    ['ftp://example.com/', 'url must use https'],
    ['https://me@example.com/', 'url must not contain credentials'],
    ['https://:secret@example.com/', 'url must not contain credentials'],
    ['https://example.com/#part', 'url must not contain a fragment'],
    ['https://example.com/#', 'url must not contain a fragment'],
    [`https://example.com/${'a'.repeat(2029)}`, 'url must have at most 2048 characters'],
    [
      `https://example.com/${'é'.repeat(1000)}`,
      'url must have at most 2048 characters when its special characters are encoded',
    ],
  ])('refuses %j: %s', (url, fault) => expect(closed.faultOf(url)).toBe(fault));

  it('accepts 2,048 characters', () => {
    expect(closed.faultOf(`https://example.com/${'a'.repeat(2028)}`)).toBeNull();
  });

  it('names the field that it is asked about', () => {
    expect(closed.faultOf('nothing', 'endpoint')).toBe('endpoint must be a URL');
  });

  it('refuses a loopback address in every spelling that the parser of URLs reads', () => {
    const spelled = (value: number) => [String(value), `0x${value.toString(16)}`, `0${value.toString(8)}`];
    const part = (value: number) => fc.constantFrom(...spelled(value));
    const last = fc.nat(0xffffff);
    const loopback = fc.oneof(
      last.chain((low) => part(0x7f000000 + low)),
      last.chain((low) => fc.tuple(part(127), part(low)).map((parts) => parts.join('.'))),
      fc.tuple(part(127), part(0), part(0), part(1)).map((parts) => parts.join('.')),
      fc.constantFrom('127.0.0.1.', '１２７.0.0.1', '[::1]', '[0::1]', '[::ffff:127.0.0.1]', '[::127.0.0.1]'),
    );
    fc.assert(fc.property(loopback, (host) => expect(closed.faultOf(`https://${host}/`)).toBe(PRIVATE)));
  });

  it.each(['169.254.169.254', '[fd00:ec2::254]', '[64:ff9b::a9fe:a9fe]', '[2002:a9fe:a9fe::1]', '0'])(
    'refuses %s, which leads to metadata services or to this machine',
    (host) => expect(closed.faultOf(`https://${host}/`)).toBe(PRIVATE),
  );

  it('accepts http and private addresses when they are allowed, and nothing else', () => {
    expect(open.faultOf('http://127.0.0.1:8080/')).toBeNull();
    expect(open.faultOf('https://[::1]/')).toBeNull();
    expect(open.faultOf('ftp://127.0.0.1/')).toBe('url must use https or http');
    expect(open.faultOf('http://me@127.0.0.1/')).toBe('url must not contain credentials');
  });
});
