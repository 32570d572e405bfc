import { foldCase } from '../../../common/text.js';

/**
 * The maximum length of a name key. An index entry also holds the search key and the roles and must stay
 * below a third of a page.
 */
const MAX_NAME_KEY_LENGTH = 100;

/**
 * Returns the folded columns of a user. A line break separates name and address in the search key. Neither
 * can contain one, so no search matches across both. PostgreSQL appends the compatible form of both on lines
 * of their own.
 */
export function userSortKeys(name: string, email: string): { nameKey: string; searchKey: string } {
  const folded = foldCase(name);
  return {
    nameKey: Array.from(folded).slice(0, MAX_NAME_KEY_LENGTH).join(''),
    searchKey: `${folded}\n${foldCase(email)}`,
  };
}
