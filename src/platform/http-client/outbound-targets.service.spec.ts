import { domainToUnicode } from 'node:url';
import { describe, expect, it } from '@jest/globals';
import fc from 'fast-check';
import { OutboundTargetsService } from './outbound-targets.service.js';

const closed = new OutboundTargetsService({ OUTBOUND_ALLOW_PRIVATE: false });
const open = new OutboundTargetsService({ OUTBOUND_ALLOW_PRIVATE: true });
const PRIVATE = 'url must not lead to a private address';
const BLANK = 'url must not contain spaces or control characters';
const NAME = 'url must have a host name of at most 253 characters, each part between dots with 1 to 63';

describe('OutboundTargetsService', () => {
  it.each([
    'https://example.com',
    'https://example.com:8443/a?b=c',
    'https://1.1.1.1/',
    'https://localhost/',
    'https://localhost:443/',
    'HTTPS://Example.COM?a=b@c',
    'https://example.com./a//b/%2F?',
    'https://[2606:4700::1111]:8443/',
    'https://bücher.example/é?q=é',
    'https://BÜCHER.example/',
    'https://xn--bcher-kva.example/',
    `https://${'a'.repeat(63)}.example/`,
  ])('accepts %s', (url) => expect(closed.faultOf(url)).toBeNull());

  it.each([
    ['example.com', 'url must be a URL'],
    ['https://', 'url must be a URL'],
    ['https://example.com/\ud800', 'url must be a URL'],
    [' https://example.com', BLANK],
    ['https://example.com/ ', BLANK],
    ['https://exam\nple.com/', BLANK],
    ['https://exam\tple.com/', BLANK],
    ['https://[fe80::1%25eth0]/', 'url must be a URL'],
    ['http://example.com/', 'url must use https'],
    ['ftp://example.com/', 'url must use https'],
    ['https://me@example.com/', 'url must not contain credentials'],
    ['https://:secret@example.com/', 'url must not contain credentials'],
    ['https://@example.com/', 'url must not contain credentials'],
    ['https://:@example.com/', 'url must not contain credentials'],
    ['https:/\\me@example.com', 'url must not contain credentials'],
    ['https://example.com:0/', 'url must not have the port 0'],
    ['https://example..com/', NAME],
    ['https://.example.com/', NAME],
    [`https://${'a'.repeat(64)}.example/`, NAME],
    [`https://${'a.'.repeat(126)}com/`, NAME],
    ['https://example.com/#part', 'url must not contain a fragment'],
    ['https://example.com/#', 'url must not contain a fragment'],
    [`https://example.com/${'a'.repeat(2029)}`, 'url must have at most 2048 characters'],
    [
      `https://example.com/${'é'.repeat(1000)}`,
      'url must have at most 2048 characters when its special characters are encoded',
    ],
  ])('refuses %j: %s', (url, fault) => expect(closed.faultOf(url)).toBe(fault));

  it.each([
    ['https:/example.com', 'https://example.com/'],
    ['https:example.com', 'https://example.com/'],
    ['https:///example.com', 'https://example.com/'],
    ['https:\\\\example.com\\a', 'https://example.com/a'],
    ['https://example.com/a\\b', 'https://example.com/a/b'],
    ['https://example.com/a/../b', 'https://example.com/b'],
    ['https://example.com/%2e/b', 'https://example.com/b'],
    ['https://exam\u00adple.com/', 'https://example.com/'],
    ['https://exam\u200bple.com/', 'https://example.com/'],
    ['https://ex%61mple.com/', 'https://example.com/'],
    ['https://ｅxample.com/', 'https://example.com/'],
    ['https://example。com/', 'https://example.com/'],
    ['https://example.com:/', 'https://example.com/'],
    ['https://example.com:08443/', 'https://example.com:8443/'],
    ['https://0x01010101/', 'https://1.1.1.1/'],
    ['https://[2606:4700:0::1111]/', 'https://[2606:4700::1111]/'],
  ])('refuses %j, which would be called as %s', (url, called) => {
    expect(closed.faultOf(url)).toBe(`url must be written as it would be called: ${called}`);
    expect(closed.faultOf(called)).toBeNull();
  });

  it('accepts a URL only if what is called looks like it, apart from case, encoding, default port and path', () => {
    const odd = fc.oneof(
      fc.constantFrom(
        '\\',
        '/',
        ':',
        '@',
        '?',
        '.',
        '..',
        '%2e',
        '%',
        '443',
        '0',
        'a',
        'B',
        '-',
        'é',
        'ß',
        'ｅ',
        '。',
      ),
      fc.constantFrom(
        '\t',
        ' ',
        '\u00ad',
        '\u200b',
        '\u200d',
        '\u3164',
        '\ufeff',
        '\u202e',
        '\u0000',
        '\ud800',
      ),
      fc.constantFrom("'", '"', '|', '[', ']'),
    );
    const text = fc.array(fc.oneof(odd, fc.string({ unit: 'binary', maxLength: 3 })), { maxLength: 8 });
    const start = fc.constantFrom(
      'https://',
      'https://example.com',
      'https://example.com/',
      'HTTPS:',
      'https:/',
    );
    const plain = (url: string) =>
      decoded(url)
        .normalize('NFC')
        .toLowerCase()
        .replace(/^(https:\/\/[^/?]*):443(?=[/?]|$)/, '$1');
    fc.assert(
      fc.property(start, text, (before, parts) => {
        const url = before + parts.join('');
        if (closed.faultOf(url) !== null) return;
        const { href, hostname } = new URL(url);
        const shown = plain(href.replace(hostname, domainToUnicode(hostname)));
        expect([shown, shown.replace(/^(https:\/\/[^/?]+)\//, '$1')]).toContain(plain(url));
      }),
      { numRuns: 2000 },
    );
  });

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

/** Decodes what is encoded in a URL, as far as it is UTF-8. */
function decoded(url: string): string {
  return Buffer.from(
    url.replace(/%([0-9a-f]{2})|[^]/giu, (all, hex: string | undefined) =>
      hex === undefined ? Buffer.from(all).toString('latin1') : String.fromCharCode(Number.parseInt(hex, 16)),
    ),
    'latin1',
  ).toString();
}
