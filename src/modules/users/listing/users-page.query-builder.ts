import type { Repository, SelectQueryBuilder } from 'typeorm';
import type { PageKey } from '../../../common/pagination/cursor.js';
import { prepared } from '../../../platform/database/driver/statements/prepared.js';
import { MAX_COUNTED_ROWS, planOf } from '../../../platform/database/estimate-rows.js';
import type { SqlRunner } from '../../../platform/database/sql.runner.js';
import { type User, USER_COLUMNS, type UserStatus } from '../user.entity.js';
import {
  hasWords,
  isFoundInFoldedKeys,
  matchesSearch,
  matchesSearchByFoldedKey,
  matchesSearchByIndex,
  matchesSearchByReading,
  matchesSearchByWords,
  nearlyMatchesSearch,
  nearlyMatchesWords,
  searchParameters,
} from './search-conditions.js';

/**
 * The cost of reading the inverted index, measured in index entries walked (a third of a microsecond each).
 */
const ENTRIES_PER_LOOKUP = 5000;
/**
 * The number of samples of the search key (see the migration `accounts`). A share below one sample is a guess
 * of the planner.
 */
const SAMPLES = 1000;
/** The cost of fetching one row at random, about 5 microseconds, in the same unit. */
const ENTRIES_PER_FETCH = 15;
/**
 * The factor by which a walk may exceed the expected number of entries, because similar rows lie next to each
 * other.
 */
const WALK_COST_FACTOR = 2;
/** The share of the gathering cost that a walk may use for frequent values, which are expensive to gather. */
const COST_SHARE_OF_GATHERING = 0.25;
/**
 * The estimate above which the service does not count the rows. The samples are never wrong by a factor of five, so
 * the number certainly exceeds {@link MAX_COUNTED_ROWS}.
 */
const TRUSTED_ROWS = 5 * MAX_COUNTED_ROWS;
const NOT_DELETED = `status <> 'deleted'`;
const NOT_ACTIVE = `status <> 'active'`;
/**
 * Is always true, and keeps the planner from starting parallel workers, because only the session's own process may
 * evaluate it. Their start takes up to 100 ms, many times as long as gathering rare rows.
 */
const WITHOUT_WORKERS = `pg_backend_pid() > 0`;
/** Excludes erased users, whose search key is empty. The indexes contain this column. */
const NOT_ERASED = `search_key <> ''`;

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
  const { search } = filters;
  return users
    .createQueryBuilder('user')
    .where(
      allOf([
        scopeCondition(filters),
        ...columnCondition(filters),
        ...isSpecialRole(filters),
        ...(search ? [matchesSearch(search)] : []),
      ]),
    )
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
  const expected = await estimate(users, sql, page);
  const entries = entriesToWalk(page, expected);
  const met = entries > 0 ? await rowsOf(walk(page, entries)) : [];
  return met.length === page.limit ? met : rowsOf(gather(page, expected));
}

/**
 * Returns the number of users that the filters match: exact up to {@link MAX_COUNTED_ROWS}, and the planner's
 * estimate beyond it. An estimate far beyond it needs no count.
 */
export async function estimateMatching(
  users: Repository<User>,
  sql: SqlRunner,
  filters: UserFilters,
): Promise<number> {
  const expected = await estimate(users, sql, { filters, after: null });
  if (expected.wanted > TRUSTED_ROWS) return expected.wanted;
  const [select, parameters] = users.manager.dataSource.driver.escapeQueryWithParameters(
    `SELECT count(*)::integer AS rows FROM (
       SELECT 1 FROM (SELECT 1 FROM users WHERE ${gathered(filters, expected)} OFFSET 0) AS gathered
       LIMIT ${MAX_COUNTED_ROWS + 1}
     ) AS counted`,
    filterParameters(filters),
  );
  const { rows } = await sql.one<{ rows: number }>(select, parameters);
  return rows <= MAX_COUNTED_ROWS ? rows : Math.max(rows, expected.wanted);
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
  /** The number of those rows that contain the words of the search, or null when it has none to find it by. */
  readonly byWords: number | null;
}

/** Asks the planner for its estimates in one statement, which reads statistics and not the table. */
async function estimate(
  users: Repository<User>,
  sql: SqlRunner,
  { filters, order, after }: Pick<UserPage, 'filters' | 'after'> & Partial<Pick<UserPage, 'order'>>,
): Promise<Estimate> {
  const beyond = order ? isAfter({ order, after }) : [];
  const shareOf = (condition: string) => `
    SELECT 1 FROM (
      SELECT status, roles, search_key, email_key FROM users
      WHERE ${allOf([scopeOf(filters), ...beyond])} OFFSET 0
    ) AS scoped WHERE ${condition}`;
  const byWords = searchesAllByWords(filters) ? [nearlyMatchesWords(filters.search)] : [];
  const [select, parameters] = users.manager.dataSource.driver.escapeQueryWithParameters(
    [allOf(sampledCondition(filters)), ...byWords].map(shareOf).join(' UNION ALL '),
    { ...filterParameters(filters), ...after },
  );
  const plan = await planOf(sql, select, parameters);
  const [exactly = plan, words] = byWords.length > 0 ? (plan.Plans ?? []) : [plan];
  return {
    wanted: exactly['Plan Rows'],
    reachable: exactly.Plans?.[0]?.['Plan Rows'] ?? exactly['Plan Rows'],
    byWords: words?.['Plan Rows'] ?? null,
  };
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
function gather(page: UserPage, expected: Estimate): string {
  return `
    SELECT id FROM (
      SELECT id, ${keyColumns[page.order.column]} FROM users
      WHERE ${allOf([gathered(page.filters, expected), ...isAfter(page)])}
      OFFSET 0
    ) AS gathered
    ORDER BY ${ordering(page)}
    LIMIT ${page.limit} OFFSET ${page.offset}`;
}

/**
 * Returns the condition of the rows to gather. A search reads an inverted index by the cheaper of two conditions:
 * by its words, unless the planner's samples show that they occur without the rest of the search. The CASE keeps
 * all that is tested of the rows themselves from the choice of that index.
 */
function gathered(filters: UserFilters, expected: Estimate): string {
  const { search, status } = filters;
  const always = [WITHOUT_WORKERS, ...isSpecialRole(filters)];
  if (!search) return allOf([...always, scopeCondition(filters), ...columnCondition(filters)]);
  return allOf([
    ...always,
    status === undefined || status === 'active' ? NOT_DELETED : NOT_ACTIVE,
    ...hasRole(filters),
    indexCondition(search, filters, expected),
    `CASE WHEN ${allOf([scopeOf(filters), ...entryCondition(filters)])} THEN true END`,
  ]);
}

function indexCondition(
  search: string,
  filters: UserFilters,
  { wanted, reachable, byWords }: Estimate,
): string {
  if (concernsFew(filters) && isFoundInFoldedKeys(search)) return matchesSearchByFoldedKey(search);
  const fewMoreByWords = byWords !== null && byWords - wanted <= reachable / SAMPLES;
  return fewMoreByWords ? matchesSearchByWords(search) : matchesSearchByIndex(search);
}

function ordering({ order }: UserPage): string {
  const direction = order.descending ? 'DESC' : 'ASC';
  return `${keyColumns[order.column]} ${direction}, id ${direction}`;
}

/** Returns the condition that selects the index to walk. It must repeat the index predicate verbatim. */
function scopeCondition(filters: UserFilters): string {
  const rows = scopeOf(filters);
  return rows === NOT_DELETED ? rows : `${NOT_ACTIVE} AND ${rows}`;
}

/** Returns the same condition without repetition, because the planner underestimates repeated conditions. */
function scopeOf({ status }: UserFilters): string {
  return status === undefined || status === 'active' ? NOT_DELETED : 'status = :status';
}

function isAfter({ order, after }: Pick<UserPage, 'order' | 'after'>, table = 'users'): string[] {
  const column = keyColumns[order.column];
  return after ? [`(${table}.${column}, ${table}.id) ${order.descending ? '<' : '>'} (:key, :id)`] : [];
}

/** Returns the conditions that each entry of a walk must pass. */
function entryCondition(filters: UserFilters): string[] {
  return [...columnCondition(filters), ...(filters.search ? [matchesSearchByReading(filters.search)] : [])];
}

/** Returns the same conditions as far as the planner has samples of them. */
function sampledCondition(filters: UserFilters): string[] {
  return [
    'true',
    ...columnCondition(filters),
    ...(filters.search ? [nearlyMatchesSearch(filters.search)] : []),
  ];
}

/** Returns the conditions of an entry apart from the search. */
function columnCondition(filters: UserFilters): string[] {
  const { status } = filters;
  return [
    ...(status === 'active' ? [`status = :status`] : []),
    ...(status === 'deleted' ? [NOT_ERASED] : []),
    ...hasRole(filters),
  ];
}

const hasRole = ({ role }: UserFilters): string[] =>
  role === undefined ? [] : ['roles @> ARRAY[:role]::text[]'];

/** Returns the predicate of the index of roles where the role implies it. */
function isSpecialRole({ role }: UserFilters): string[] {
  return isSpecial(role) ? [`cardinality(array_remove(roles, 'user')) > 0`] : [];
}

const isSpecial = (role: string | undefined): boolean => role !== undefined && role !== 'user';

/** Returns true if a smaller index holds all users that the status and the role match. */
const concernsFew = ({ status, role }: UserFilters): boolean =>
  isSpecial(role) || status === 'disabled' || status === 'deleted';

/** Returns true if words may find the search among all users. */
const searchesAllByWords = (filters: UserFilters): filters is UserFilters & { search: string } =>
  !!filters.search && !concernsFew(filters) && hasWords(filters.search);

const filterParameters = ({ search = '', status, role }: UserFilters): Record<string, unknown> => ({
  status,
  role,
  ...searchParameters(search),
});

const parametersOf = ({ filters, after }: UserPage): Record<string, unknown> => ({
  ...filterParameters(filters),
  ...after,
});

const allOf = (conditions: readonly string[]): string => conditions.join(' AND ');
