import type { Repository, SelectQueryBuilder } from 'typeorm';
import type { Position } from '../../common/pagination/cursor.js';
import { likePattern } from '../../common/text.js';
import { readPlan } from '../../platform/database/estimate-rows.js';
import { anyTerm, holds, holdsPairs, searchTerms } from '../../platform/database/search-key.js';
import type { User, UserStatus } from './user.entity.js';

/** What gathering costs, in index entries passed (a third of a microsecond): to read the inverted index, ... */
const ENTRIES_PER_LOOKUP = 5000;
/** ... and to fetch a row from anywhere, some 5 microseconds. */
const ENTRIES_PER_FETCH = 15;
/**
 * Rows of a kind lie together: the walk may need so many times what was expected, and for the frequent,
 * which are dear to gather, up to a share of what that would cost.
 */
const PATIENCE = 2;
const SHARE_OF_GATHERING = 0.25;
const NOT_DELETED = `status <> 'deleted'`;
/** Those that are erased have none, and the indexes hold it. */
const NOT_ERASED = `search_key <> ''`;
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
export function matchingUsers(users: Repository<User>, filters: UserFilters): SelectQueryBuilder<User> {
  return users
    .createQueryBuilder('user')
    .where(all([inScope(filters), ...passes(filters), ...isIndexed(filters)]))
    .setParameters(filterParameters(filters));
}

/**
 * A page of the list. Two ways lead there: to walk along the index of the sort until enough rows have
 * passed the filters, which is for the frequent, and to gather what an inverted index finds and sort
 * it, which is for the rare. Left alone, the planner takes the walk to the end of the index for what
 * lies there, for seconds. So the way is chosen here, by the planner's estimate, and a walk is bounded.
 */
export async function findPage(users: Repository<User>, page: UserPage): Promise<User[]> {
  if (passes(page.filters).length === 0) return inOrder(users, page).getMany();
  const rowsOf = (ids: string) =>
    ordered(users.createQueryBuilder('user'), page)
      .innerJoin(`(${ids})`, 'found', 'found.id = user.id')
      .setParameters(parametersOf(page))
      .getMany();
  const entries = entriesToWalk(page, await estimate(users, page));
  const met = entries > 0 ? await rowsOf(walk(page, entries)) : [];
  return met.length === page.limit ? met : rowsOf(gather(page));
}

interface Estimate {
  /** Rows that the walk could pass, and those among them that pass the filters. */
  readonly inReach: number;
  readonly wanted: number;
}

/** What the planner expects: it looks at its statistics, not at the table. */
async function estimate(users: Repository<User>, page: UserPage): Promise<Estimate> {
  const [sql, parameters] = users.manager.dataSource.driver.escapeQueryWithParameters(
    `EXPLAIN (FORMAT JSON) SELECT 1 FROM (
       SELECT status, roles, search_key, email_key FROM users
       WHERE ${all([scopeOf(page.filters), ...isAfter(page)])} OFFSET 0
     ) AS scoped WHERE ${all(passes(page.filters))}`,
    parametersOf(page),
  );
  const { Plan: plan } = readPlan(await users.query(sql, parameters));
  return { wanted: plan['Plan Rows'], inReach: plan.Plans?.[0]?.['Plan Rows'] ?? plan['Plan Rows'] };
}

/** None when it is cheaper to gather. */
function entriesToWalk({ limit, offset }: UserPage, { inReach, wanted }: Estimate): number {
  const expected = ((offset + limit) * inReach) / Math.max(wanted, 1);
  const gathering = ENTRIES_PER_LOOKUP + wanted * ENTRIES_PER_FETCH;
  return expected > gathering ? 0 : Math.ceil(Math.max(expected * PATIENCE, gathering * SHARE_OF_GATHERING));
}

/** Without a condition every row of the index is one of the page. */
function inOrder(users: Repository<User>, page: UserPage): SelectQueryBuilder<User> {
  return ordered(users.createQueryBuilder('user'), page)
    .where(all([inScope(page.filters), ...isAfter(page, '"user"')]))
    .setParameters(parametersOf(page))
    .limit(page.limit)
    .offset(page.offset);
}

function ordered(query: SelectQueryBuilder<User>, { order }: UserPage): SelectQueryBuilder<User> {
  const direction = order.descending ? 'DESC' : 'ASC';
  return query.orderBy(`user.${order.column}`, direction).addOrderBy('user.id', direction);
}

/**
 * The index holds all that is asked for, so no row is fetched to be passed over. Only the search for a whole address
 * also asks for the canonical one, which the planner leaves out of every other walk. CASE, as the planner
 * need not compare the pattern with its samples once more.
 */
function walk(page: UserPage, entries: number): string {
  return `
    SELECT id FROM (
      SELECT id, status, roles, search_key, email_key FROM users
      WHERE ${all([inScope(page.filters), ...isAfter(page)])}
      ORDER BY ${ordering(page)}
      LIMIT ${entries}
    ) AS walked
    WHERE CASE WHEN ${all(passes(page.filters))} THEN true END
    LIMIT ${page.limit} OFFSET ${page.offset}`;
}

/** OFFSET 0 keeps the planner from walking after all. */
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
function inScope(filters: UserFilters): string {
  const rows = scopeOf(filters);
  return rows === NOT_DELETED ? rows : `status <> 'active' AND ${rows}`;
}

/** The same, said once: of what is said twice the planner expects too few rows. */
function scopeOf({ status }: UserFilters): string {
  return status === undefined || status === 'active' ? NOT_DELETED : 'status = :status';
}

function isAfter({ order, after }: UserPage, table = 'users'): string[] {
  const column = keyColumns[order.column];
  return after ? [`(${table}.${column}, ${table}.id) ${order.descending ? '<' : '>'} (:key, :id)`] : [];
}

/** What an entry of a walk is tested for. */
function passes({ search, status, role }: UserFilters): string[] {
  return [
    ...(status === 'active' ? [`status = :status`] : []),
    ...(status === 'deleted' ? [NOT_ERASED] : []),
    ...(search ? [fits(search)] : []),
    ...(role === undefined ? [] : ['roles @> ARRAY[:role]::text[]']),
  ];
}

/** What follows from that, in the form that the inverted indexes know. */
function isIndexed({ search, role }: UserFilters): string[] {
  return [
    ...(search && !searchTerms(search).texts.every(hasTrigram) ? [fitsByIndex(search)] : []),
    ...(role === undefined || role === 'user' ? [] : [`roles <> ARRAY['user']`]),
  ];
}

/** Returns the condition that a row is what is searched for; {@link filterParameters} holds its parameters. */
function fits(search: string): string {
  const { texts, emailKey } = searchTerms(search);
  return anyTerm(
    texts.map((_, index) => holds(`:pattern${index}`)),
    emailKey === null ? null : ':emailKey',
  );
}

/** Returns what follows from {@link fits}, with the index of pairs for each text that has no trigram. */
function fitsByIndex(search: string): string {
  const { texts, emailKey } = searchTerms(search);
  return anyTerm(
    texts.map((text, index) => (hasTrigram(text) ? holds(`:pattern${index}`) : holdsPairs(`:pairs${index}`))),
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

/** Those that `search_pairs` in the database makes of a text around this one; of a single character itself. */
function pairsOf(text: string): string[] {
  const characters = Array.from(text);
  if (characters.length < 2) return characters;
  return characters.slice(1).map((character, index) => `${characters[index]}${character}`);
}

const all = (conditions: readonly string[]): string => conditions.join(' AND ');
