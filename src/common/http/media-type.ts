import { MIMEType } from 'node:util';

/** ASCII is a part of UTF-8, though the Encoding Standard takes its labels for windows-1252. */
const ASCII = /^(?:us-)?ascii$/;

/**
 * Returns the type and subtype of a `Content-Type`, in lower case, without parameters; null when it is no media type,
 * or when its charset is another than UTF-8. Node.js parses it by the WHATWG standard as browsers do, so every
 * spelling of the parameters passes.
 */
export function utf8Type(contentType: string): string | null {
  try {
    const { essence, params } = new MIMEType(contentType);
    return isUtf8(params.get('charset') ?? '') ? essence : null;
  } catch {
    return null;
  }
}

/** Knows the labels of the Encoding Standard, such as `utf8`. No charset at all means UTF-8. */
function isUtf8(charset: string): boolean {
  const label = charset
    .trim()
    .replace(/^'(.*)'$/, '$1')
    .toLowerCase();
  if (label === '' || ASCII.test(label)) return true;
  try {
    return new TextDecoder(label).encoding === 'utf-8';
  } catch {
    return false;
  }
}
