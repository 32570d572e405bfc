import { MIMEType } from 'node:util';

/** Matches ASCII, which is a subset of UTF-8. The Encoding Standard maps its labels to windows-1252. */
const ASCII = /^(?:us-)?ascii$/;

/**
 * Returns the type and subtype of a `Content-Type` in lower case, without parameters. Returns null when it is
 * not a media type or its charset is not UTF-8. Node.js parses it by the WHATWG standard, as browsers do, so
 * every spelling of the parameters passes. `others` names further encodings to accept.
 */
export function parseUtf8MediaType(contentType: string, others: readonly string[] = []): string | null {
  try {
    const { essence, params } = new MIMEType(contentType);
    return isAccepted(params.get('charset') ?? '', others) ? essence : null;
  } catch {
    return null;
  }
}

/** Accepts the labels of the Encoding Standard, such as `utf8`. A missing charset means UTF-8. */
function isAccepted(charset: string, others: readonly string[]): boolean {
  const label = charset
    .trim()
    .replace(/^'(.*)'$/, '$1')
    .toLowerCase();
  if (label === '' || ASCII.test(label)) return true;
  try {
    return ['utf-8', ...others].includes(new TextDecoder(label).encoding);
  } catch {
    return false;
  }
}
