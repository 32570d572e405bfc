import type { Repository, SelectQueryBuilder } from 'typeorm';
import type { Position } from '../../common/pagination/cursor.js';
import { foldCase, likePattern } from '../../common/text.js';
import type { User, UserStatus } from './user.entity.js';

/** Index entries that a walk may pass before anything else is tried: one to two milliseconds. */
const WALKED_ENTRIES = 4000;
const WALKED_ENTRIES_PER_ROW = 200;
/**
 * Rows met on that walk from which walking on is cheaper than gathering. A page of 20 needs 20/met
 * such walks, an entry a third of a microsecond; to gather means to fetch met/4000 of the table from
 * anywhere, a row some five microseconds. With a million accounts the two are even at four to five.
 */
const PROMISING_ROWS = 5;
/** What pg_trgm has an entry for: three letters or digits in a row. */
const HAS_TRIGRAM = /[\p{L}\p{N}]{3}/u;

export interface UserFilters {
  readonly search?: string;
  readonly status?: UserStatus;
  readonly role?: string;
}

export const sortColumns = { created_at: 'createdAt', email: 'emailKey', name: 'nameKey' } as const;
const keyColumns = { createdAt: 'created_at', emailKey: 'email_key', nameKey: 'name_key' } as const;

export interface UserOrder {
  readonly column: keyof typeof keyColumns;
  readonly descending: boolean;
}

export interface UserPage {
  readonly filters: UserFilters;
  readonly order: UserOrder;
  readonly limit: number;
  readonly offset: number;
  readonly after: Position | null;
}

/** Everybody whom the filters let through, in no order. */
export function matching(users: Repository<User>, filters: UserFilters): SelectQueryBuilder<User> {
  return users
    .createQueryBuilder('user')
    .where(all([inScope(filters), ...passes(filters), ...isIndexed(filters)]))
    .setParameters(filterParameters(filters));
}

/**
 * A page of the list. The planner cannot know how often a part of a word occurs, nor where in the
 * order, and its wrong guesses cost seconds. So a short walk along the index of the sort comes first,
 * which answers for all that is frequent. How much it met says what else to do: walk on, or gather
 * what an inverted index finds and sort that. Each is one statement that gives the whole answer.
 */
export async function findPage(users: Repository<User>, page: UserPage): Promise<User[]> {
  if (passes(page.filters).length === 0) return inOrder(users, page).getMany();
  const fetch = (ids: string) =>
    ordered(users.createQueryBuilder('user'), page)
      .innerJoin(`(${ids})`, 'found', 'found.id = user.id')
      .setParameters({ ...filterParameters(page.filters), ...page.after })
      .getMany();
  const { limit, offset } = page;
  const met = await fetch(walk(page, Math.max(WALKED_ENTRIES, WALKED_ENTRIES_PER_ROW * (offset + limit))));
  if (met.length === limit) return met;
  const metInAll = met.length === 0 ? 0 : offset + met.length;
  return fetch(metInAll < PROMISING_ROWS ? gather(page) : walk(page, null));
}

/** Without a condition every row of the index is one of the page. */
function inOrder(users: Repository<User>, page: UserPage): SelectQueryBuilder<User> {
  return ordered(users.createQueryBuilder('user'), page)
    .where(all([inScope(page.filters), ...isAfter(page, '"user"')]))
    .setParameters({ ...filterParameters(page.filters), ...page.after })
    .limit(page.limit)
    .offset(page.offset);
}

function ordered(query: SelectQueryBuilder<User>, { order }: UserPage): SelectQueryBuilder<User> {
  const direction = order.descending ? 'DESC' : 'ASC';
  return query.orderBy(`user.${order.column}`, direction).addOrderBy('user.id', direction);
}

/** The index holds all that is asked for, so no row is fetched to be passed over. */
function walk(page: UserPage, entries: number | null): string {
  return `
    SELECT id FROM (
      SELECT id, status, roles, search_key FROM users
      WHERE ${all([inScope(page.filters), ...isAfter(page)])}
      ORDER BY ${ordering(page)}
      LIMIT ${entries ?? 'ALL'} OFFSET 0
    ) AS walked
    WHERE ${all(passes(page.filters))}
    LIMIT ${page.limit} OFFSET ${page.offset}`;
}

/** OFFSET 0 keeps the planner from the very walk that has just met next to nothing. */
function gather(page: UserPage): string {
  const { filters } = page;
  return `
    SELECT id FROM (
      SELECT id, ${keyColumns[page.order.column]} FROM users
      WHERE ${all([inScope(filters), ...passes(filters), ...isIndexed(filters), ...isAfter(page)])}
      OFFSET 0
    ) AS gathered
    ORDER BY ${ordering(page)}
    LIMIT ${page.limit} OFFSET ${page.offset}`;
}

function ordering({ order }: UserPage): string {
  const direction = order.descending ? 'DESC' : 'ASC';
  return `${keyColumns[order.column]} ${direction}, id ${direction}`;
}

/** What picks the indexes to walk: their predicates have to be there to the letter. */
function inScope({ status }: UserFilters): string {
  return status === undefined || status === 'active'
    ? `status <> 'deleted'`
    : `status <> 'active' AND status = :status`;
}

function isAfter({ order, after }: UserPage, table = 'users'): string[] {
  const column = keyColumns[order.column];
  return after ? [`(${table}.${column}, ${table}.id) ${order.descending ? '<' : '>'} (:key, :id)`] : [];
}

/** What an entry of a walk is tested for. */
function passes({ search, status, role }: UserFilters): string[] {
  return [
    ...(status === 'active' ? [`status = :status`] : []),
    ...(search ? ['search_key LIKE :pattern'] : []),
    ...(role === undefined ? [] : ['roles @> ARRAY[:role]::text[]']),
  ];
}

/** What follows from that, in the form that the inverted indexes know. */
function isIndexed({ search, role }: UserFilters): string[] {
  return [
    ...(search && !HAS_TRIGRAM.test(search) ? ['search_pairs(search_key) @> :pairs'] : []),
    ...(role === undefined || role === 'user' ? [] : [`roles <> ARRAY['user']`]),
  ];
}

function filterParameters({ search = '', status, role }: UserFilters): Record<string, unknown> {
  return { status, role, pattern: likePattern(search), pairs: pairsOf(foldCase(search)) };
}

/** Those that `search_pairs` in the database makes of a text around this one; of a single character itself. */
function pairsOf(text: string): string[] {
  const characters = [...text];
  if (characters.length < 2) return characters;
  return characters.slice(1).map((character, index) => `${characters[index]}${character}`);
}

const all = (conditions: readonly string[]): string => conditions.join(' AND ');
