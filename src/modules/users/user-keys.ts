import { foldCase } from '../../common/text.js';

/** An index entry, which holds the search key and the roles as well, must stay below a third of a page. */
const MAX_NAME_KEY_LENGTH = 100;

/**
 * The folded columns of an account. In the search key a line break parts name and address: neither
 * can hold one, so no search matches across. The database adds the compatible form of both, in lines of its own.
 */
export function foldedKeys(name: string, email: string): { nameKey: string; searchKey: string } {
  const folded = foldCase(name);
  return {
    nameKey: Array.from(folded).slice(0, MAX_NAME_KEY_LENGTH).join(''),
    searchKey: `${folded}\n${foldCase(email)}`,
  };
}
