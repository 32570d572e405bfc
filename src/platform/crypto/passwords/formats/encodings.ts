/** A number without leading zeros, and small enough to be exact. */
export const NUMBER = '(0|[1-9]\\d{0,14})';
export const BASE64 = '([A-Za-z\\d+/]+)';
/** Base64 with or without padding; passlib writes `.` for `+`. */
export const LOOSE_BASE64 = '([A-Za-z\\d+/.]+={0,2})';
/** Text that contains no dollar sign and no control character. */
export const SALT_TEXT = '([^$\\u0000-\\u001f\\u007f]+)';
export const HEX = '((?:[\\da-fA-F]{2})+)';
/** The alphabet of `crypt(3)` in order: the first character stands for 0. */
export const CRYPT_ALPHABET = './0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz';

/**
 * Decodes base64. Returns null unless the text is exactly what an encoder writes for these bytes, with or
 * without padding.
 */
export function decodeBase64(text: string): Uint8Array | null {
  const standard = text.includes('+') ? text : text.replaceAll('.', '+');
  const bytes = Buffer.from(standard, 'base64');
  const canonical = bytes.toString('base64');
  return standard === canonical || standard === canonical.replace(/=+$/, '') ? bytes : null;
}

/** Decodes base64 in the standard alphabet or in that of URLs, under the conditions of `decodeBase64`. */
export function decodeEitherBase64(text: string): Uint8Array | null {
  if (/[-_]/.test(text) && /[+/]/.test(text)) return null;
  return decodeBase64(text.replaceAll('-', '+').replaceAll('_', '/'));
}

/** Encodes bytes as `crypt(3)` and phpass do: three bytes at a time, the lowest six bits first. */
export function encodeCrypt64(bytes: Uint8Array): string {
  let text = '';
  for (let at = 0; at < bytes.length; at += 3) {
    const group = bytes.subarray(at, at + 3);
    let value = group.reduce((sum, byte, place) => sum | (byte << (8 * place)), 0);
    for (let left = group.length + 1; left > 0; left--) {
      text += CRYPT_ALPHABET.charAt(value & 0x3f);
      value >>>= 6;
    }
  }
  return text;
}
