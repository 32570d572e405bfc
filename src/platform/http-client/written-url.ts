import { isIP } from 'node:net';
import { domainToUnicode } from 'node:url';

const MAX_LABEL_LENGTH = 63;
const MAX_NAME_LENGTH = 253;
const DEFAULT_PORTS: Readonly<Record<string, string>> = { 'http:': '80', 'https:': '443' };
/** Matches what the URL parser removes wherever it stands, without a word. */
const REMOVED = /[\s\p{Cc}]/u;
/** The parts of a URL as they are written: scheme, host, port, and the rest. */
const PARTS = /^(https?:)\/\/(\[[^\]]*\]|[^/?#\\:@]+)(?::(\d+))?((?:[/?].*)?)$/i;
/** Matches what the URL parser encodes in a path or a query, so that `é` and `%C3%A9` are the same. */
const ENCODED = /[^\u0021-\u007e]|["'<>`{}|^]/gu;

/** Returns the reason why a text is no URL that can be judged further, in words that follow its name, or null. */
export function findTextFault(written: string): string | null {
  if (REMOVED.test(written)) return 'must not contain spaces or control characters';
  return written.isWellFormed() && URL.canParse(written) ? null : 'must be a URL';
}

/**
 * Returns the reason why a URL would not be called as it is written, in words that follow its name, or null. The parser
 * mends `https:/host`, backslashes, `..` in a path, invisible characters, numbers in octal and more. People who read such a
 * URL would see another one than the one that is called. A default port, a missing path, the case of the scheme and the
 * host, international names and characters that are sent encoded make no difference.
 * @param parsed the URL as the parser read it
 */
export function findMend(written: string, parsed: URL): string | null {
  const [, scheme = '', host = '', port = '', rest = ''] = PARTS.exec(written) ?? [];
  const isSame =
    scheme.toLowerCase() === parsed.protocol &&
    isSameHost(host.toLowerCase(), parsed.hostname) &&
    (port === DEFAULT_PORTS[parsed.protocol] ? '' : port) === parsed.port &&
    encoded(rest.startsWith('/') ? rest : `/${rest}`) === encoded(parsed.href.slice(parsed.origin.length));
  return isSame ? null : `must be written as it would be called: ${parsed.href}`;
}

/** Returns the reason why no host can have this name or no server this port, in words that follow the URL's name, or null. */
export function findHostFault({ hostname, port }: URL): string | null {
  if (port === '0') return 'must not have the port 0';
  if (isIP(hostname.replace(/^\[|\]$/g, '')) !== 0) return null;
  const name = hostname.replace(/\.$/, '');
  const isName =
    name.length <= MAX_NAME_LENGTH &&
    name.split('.').every((label) => label.length >= 1 && label.length <= MAX_LABEL_LENGTH);
  return isName
    ? null
    : `must have a host name of at most ${MAX_NAME_LENGTH} characters, each part between dots with 1 to ${MAX_LABEL_LENGTH}`;
}

const isSameHost = (written: string, parsed: string): boolean =>
  written === parsed || written.normalize('NFC') === domainToUnicode(parsed);

const encoded = (text: string): string =>
  text.replace(ENCODED, (character) =>
    Array.from(Buffer.from(character), (byte) => `%${byte.toString(16).toUpperCase().padStart(2, '0')}`).join(
      '',
    ),
  );
