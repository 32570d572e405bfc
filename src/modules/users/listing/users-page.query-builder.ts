import type { Repository, SelectQueryBuilder } from 'typeorm';
import type { PageKey } from '../../../common/pagination/cursor.js';
import { likePattern } from '../../../common/text.js';
import { planOf } from '../../../platform/database/estimate-rows.js';
import {
  anyTerm,
  keyContains,
  keyContainsPairs,
  searchTerms,
} from '../../../platform/database/search-key.js';
import { prepared } from '../../../platform/database/driver/statements/prepared.js';
import type { SqlRunner } from '../../../platform/database/sql.runner.js';
import { type User, USER_COLUMNS, type UserStatus } from '../user.entity.js';

/**
 * The cost of reading the inverted index, measured in index entries walked (a third of a microsecond each).
 */
const ENTRIES_PER_LOOKUP = 5000;
/** The cost of fetching one row at random, about 5 microseconds, in the same unit. */
const ENTRIES_PER_FETCH = 15;
/**
 * The factor by which a walk may exceed the expected number of entries, because similar rows lie next to each
 * other.
 */
const WALK_COST_FACTOR = 2;
/** The share of the gathering cost that a walk may use for frequent values, which are expensive to gather. */
const COST_SHARE_OF_GATHERING = 0.25;
const NOT_DELETED = `status <> 'deleted'`;
/** Excludes erased users, whose search key is empty. The indexes contain this column. */
const NOT_ERASED = `search_key <> ''`;
/** Matches three letters or digits in a row, for which pg_trgm has an index entry. */
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
  readonly after: PageKey | null;
}

/** Returns an unordered query for every user that the filters match. */
export function matchingUsers(users: Repository<User>, filters: UserFilters): SelectQueryBuilder<User> {
  return users
    .createQueryBuilder('user')
    .where(allOf([scopeCondition(filters), ...entryCondition(filters), ...isIndexed(filters)]))
    .setParameters(filterParameters(filters));
}

/**
 * Loads a page of the list in one of two ways. The walk reads the sort index until enough rows have passed
 * the filters, which suits frequent values. Gathering reads an inverted index and sorts the result, which
 * suits rare ones.
 * On its own, the planner walks to the end of the index for rows that lie there, which takes seconds. So this
 * function chooses by the planner's estimate and bounds the walk.
 */
export async function findPage(users: Repository<User>, sql: SqlRunner, page: UserPage): Promise<User[]> {
  if (isUnfiltered(page.filters)) return sql.rows<User>(...plainPage(page));
  if (entryCondition(page.filters).length === 0) return orderedUsers(users, page).getMany();
  const rowsOf = (ids: string) =>
    ordered(users.createQueryBuilder('user'), page)
      .innerJoin(`(${ids})`, 'found', 'found.id = user.id')
      .setParameters(parametersOf(page))
      .getMany();
  const entries = entriesToWalk(page, await estimate(users, sql, page));
  const met = entries > 0 ? await rowsOf(walk(page, entries)) : [];
  return met.length === page.limit ? met : rowsOf(gather(page));
}

const isUnfiltered = ({ search, status, role }: UserFilters): boolean =>
  !search && status === undefined && role === undefined;

/** The statements of the list without filters: for each column, each direction, and with or without a cursor. */
const plainPages = new Map(
  Object.values(keyColumns).flatMap((column) =>
    [true, false].flatMap((descending) =>
      [true, false].map((isAfterKey) => [
        plainPageKey(column, descending, isAfterKey),
        prepared(plainPageText(column, descending, isAfterKey)),
      ]),
    ),
  ),
);

function plainPageKey(column: string, descending: boolean, isAfterKey: boolean): string {
  return [column, descending, isAfterKey].join();
}

function plainPageText(column: string, descending: boolean, isAfterKey: boolean): string {
  const direction = descending ? 'DESC' : 'ASC';
  const after = isAfterKey ? `AND (${column}, id) ${descending ? '<' : '>'} ($3, $4)` : '';
  return `SELECT ${USER_COLUMNS} FROM users WHERE ${NOT_DELETED} ${after}
    ORDER BY ${column} ${direction}, id ${direction} LIMIT $1 OFFSET $2`;
}

/** Returns the statement and its parameters. Constant texts spare the query builder and the parser on a hot path. */
function plainPage({ order, limit, offset, after }: UserPage): [text: string, parameters: unknown[]] {
  const text = plainPages.get(plainPageKey(keyColumns[order.column], order.descending, after !== null));
  return [text ?? '', [limit, offset, ...(after ? [after.key, after.id] : [])]];
}

interface Estimate {
  /** The number of rows that the walk could pass. */
  readonly reachable: number;
  /** The number of those rows that pass the filters. */
  readonly wanted: number;
}

/** Asks the planner for its estimate, which reads statistics and not the table. */
async function estimate(users: Repository<User>, sql: SqlRunner, page: UserPage): Promise<Estimate> {
  const [select, parameters] = users.manager.dataSource.driver.escapeQueryWithParameters(
    `SELECT 1 FROM (
       SELECT status, roles, search_key, email_key FROM users
       WHERE ${allOf([scopeOf(page.filters), ...isAfter(page)])} OFFSET 0
     ) AS scoped WHERE ${allOf(entryCondition(page.filters))}`,
    parametersOf(page),
  );
  const plan = await planOf(sql, select, parameters);
  return { wanted: plan['Plan Rows'], reachable: plan.Plans?.[0]?.['Plan Rows'] ?? plan['Plan Rows'] };
}

/** Returns the number of index entries to walk, or 0 when gathering is cheaper. */
function entriesToWalk({ limit, offset }: UserPage, { reachable, wanted }: Estimate): number {
  const expected = ((offset + limit) * reachable) / Math.max(wanted, 1);
  const gathering = ENTRIES_PER_LOOKUP + wanted * ENTRIES_PER_FETCH;
  return expected > gathering
    ? 0
    : Math.ceil(Math.max(expected * WALK_COST_FACTOR, gathering * COST_SHARE_OF_GATHERING));
}

/** Pages through the sort index alone. Without filters every row of the index belongs to the page. */
function orderedUsers(users: Repository<User>, page: UserPage): SelectQueryBuilder<User> {
  return ordered(users.createQueryBuilder('user'), page)
    .where(allOf([scopeCondition(page.filters), ...isAfter(page, '"user"')]))
    .setParameters(parametersOf(page))
    .limit(page.limit)
    .offset(page.offset);
}

function ordered(query: SelectQueryBuilder<User>, { order }: UserPage): SelectQueryBuilder<User> {
  const direction = order.descending ? 'DESC' : 'ASC';
  return query.orderBy(`user.${order.column}`, direction).addOrderBy('user.id', direction);
}

/**
 * Reads only indexed columns, so PostgreSQL fetches no row that it then discards. Only the search for a whole
 * address tests `email_key`; in every other walk the planner drops that column. The CASE keeps the planner
 * from comparing the pattern with its samples a second time.
 */
function walk(page: UserPage, entries: number): string {
  return `
    SELECT id FROM (
      SELECT id, status, roles, search_key, email_key FROM users
      WHERE ${allOf([scopeCondition(page.filters), ...isAfter(page)])}
      ORDER BY ${ordering(page)}
      LIMIT ${entries}
    ) AS walked
    WHERE CASE WHEN ${allOf(entryCondition(page.filters))} THEN true END
    LIMIT ${page.limit} OFFSET ${page.offset}`;
}

/** Gathers matching rows and sorts them. OFFSET 0 keeps the planner from choosing the walk after all. */
function gather(page: UserPage): string {
  const { filters } = page;
  return `
    SELECT id FROM (
      SELECT id, ${keyColumns[page.order.column]} FROM users
      WHERE ${allOf([scopeCondition(filters), ...entryCondition(filters), ...isIndexed(filters), ...isAfter(page)])}
      OFFSET 0
    ) AS gathered
    ORDER BY ${ordering(page)}
    LIMIT ${page.limit} OFFSET ${page.offset}`;
}

function ordering({ order }: UserPage): string {
  const direction = order.descending ? 'DESC' : 'ASC';
  return `${keyColumns[order.column]} ${direction}, id ${direction}`;
}

/** Returns the condition that selects the index to walk. It must repeat the index predicate verbatim. */
function scopeCondition(filters: UserFilters): string {
  const rows = scopeOf(filters);
  return rows === NOT_DELETED ? rows : `status <> 'active' AND ${rows}`;
}

/** Returns the same condition without repetition, because the planner underestimates repeated conditions. */
function scopeOf({ status }: UserFilters): string {
  return status === undefined || status === 'active' ? NOT_DELETED : 'status = :status';
}

function isAfter({ order, after }: UserPage, table = 'users'): string[] {
  const column = keyColumns[order.column];
  return after ? [`(${table}.${column}, ${table}.id) ${order.descending ? '<' : '>'} (:key, :id)`] : [];
}

/** Returns the conditions that each entry of a walk must pass. */
function entryCondition({ search, status, role }: UserFilters): string[] {
  return [
    ...(status === 'active' ? [`status = :status`] : []),
    ...(status === 'deleted' ? [NOT_ERASED] : []),
    ...(search ? [matchesSearch(search)] : []),
    ...(role === undefined ? [] : ['roles @> ARRAY[:role]::text[]']),
  ];
}

/** Returns conditions implied by those filters, in the form that the inverted indexes support. */
function isIndexed({ search, role }: UserFilters): string[] {
  return [
    ...(search && !searchTerms(search).texts.every(hasTrigram) ? [matchesSearchByIndex(search)] : []),
    ...(role === undefined || role === 'user' ? [] : [`roles <> ARRAY['user']`]),
  ];
}

/** Returns the condition that a row matches the search. {@link filterParameters} holds its parameters. */
function matchesSearch(search: string): string {
  const { texts, emailKey } = searchTerms(search);
  return anyTerm(
    texts.map((_, index) => keyContains(`:pattern${index}`)),
    emailKey === null ? null : ':emailKey',
  );
}

/** Returns a condition implied by {@link matchesSearch}. Uses the index of pairs for each text without a trigram. */
function matchesSearchByIndex(search: string): string {
  const { texts, emailKey } = searchTerms(search);
  return anyTerm(
    texts.map((text, index) =>
      hasTrigram(text) ? keyContains(`:pattern${index}`) : keyContainsPairs(`:pairs${index}`),
    ),
    emailKey === null ? null : ':emailKey',
  );
}

const hasTrigram = (text: string): boolean => HAS_TRIGRAM.test(text);

function filterParameters({ search = '', status, role }: UserFilters): Record<string, unknown> {
  const { texts, emailKey } = searchTerms(search);
  const ofTexts = texts.flatMap((text, index) => [
    [`pattern${index}`, likePattern(text)],
    [`pairs${index}`, pairsOf(text)],
  ]);
  return { status, role, emailKey, ...Object.fromEntries(ofTexts) };
}

function parametersOf({ filters, after }: UserPage): Record<string, unknown> {
  return { ...filterParameters(filters), ...after };
}

/**
 * Returns the pairs that `search_pairs` in the database makes of this text. A single character is its own
 * pair.
 */
function pairsOf(text: string): string[] {
  const characters = Array.from(text);
  if (characters.length < 2) return characters;
  return characters.slice(1).map((character, index) => `${characters[index]}${character}`);
}

const allOf = (conditions: readonly string[]): string => conditions.join(' AND ');
