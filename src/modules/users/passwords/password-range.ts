/** An entry of a range: the rest of a SHA-1 hash, and the number of breaches. Padding has the number 0. */
const ENTRY = /^([0-9A-F]{35}):(\d{1,15})$/i;

/**
 * Returns true if a range contains the rest of a hash as more than padding.
 * @param range lines of `<35 hexadecimal digits>:<count>`
 * @param rest in upper case
 * @throws Error for text that is not a range
 */
export function findInRange(range: string, rest: string): boolean {
  let found = false;
  const lines = range.split('\n').map((line) => line.trim());
  if (lines.every((line) => line === '')) throw new Error('the range of hashes is empty');
  for (const line of lines) {
    if (line === '') continue;
    const [, hash = '', count] = ENTRY.exec(line) ?? [];
    if (count === undefined) throw new Error('the response is not a range of hashes');
    if (hash.toUpperCase() === rest && Number(count) > 0) found = true;
  }
  return found;
}
