import { LRUCache } from 'lru-cache';
import type { QueryResult } from 'pg';
import { failureOf } from '../../../telemetry/failure-of.js';
import type { RecordedSpan } from '../../../telemetry/recorded-span.js';
import { tracing } from '../../../telemetry/tracing.js';
import type { HeldStatement } from './held-statements.js';
import { operationOf } from './statement.js';

/** The texts whose forms are kept. There are some hundred, and those that TypeORM builds for filters. */
const MAX_TEXTS = 1000;
/** The part of the text of a round trip that a span keeps, in characters. */
const MAX_LENGTH = 8192;

/** The quoted literals of PostgreSQL. Statements take values as parameters, so most are constants. */
const LITERAL = /\$(\w*)\$[^]*?\$\1\$|\bE'(?:[^'\\]|\\.|'')*'|'(?:[^']|'')*'/gi;
/** The table that a statement names first. */
const TABLE = /\b(?:FROM|INTO|UPDATE|COPY)\s+(?:ONLY\s+)?"?((?:\w+\.)?\w+)/i;
const SPACE = /\s+/g;

interface ShownStatement {
  /** The operation and the table, of which there are few. */
  readonly summary: string;
  readonly operation: string;
  /** The text without literals. */
  readonly text: string;
}

const shown = new LRUCache<string, ShownStatement>({ max: MAX_TEXTS });

/** Returns a statement as spans show it: without any value. */
export function shownStatement(text: string): ShownStatement {
  const known = shown.get(text);
  if (known) return known;
  const masked = text.replaceAll(LITERAL, "'?'").replaceAll(SPACE, ' ').trim().slice(0, MAX_LENGTH);
  const operation = operationName(masked);
  const table = TABLE.exec(masked)?.[1];
  const statement = {
    summary: table === undefined ? operation : `${operation} ${table}`,
    operation,
    text: masked,
  };
  shown.set(text, statement);
  return statement;
}

const operationName = (text: string): string => {
  const known = operationOf(text);
  return (known === 'other' ? (/^\w+/.exec(text)?.[0] ?? known) : known).toUpperCase();
};

/**
 * Starts the span of a round trip to the server, if the current trace is recorded. `main` is the statement whose result
 * is wanted, and `batch` holds it and those that travel with it; null if there are none.
 */
export function startStatementSpan(
  main: string,
  batch: readonly Pick<HeldStatement, 'text'>[] | null,
): RecordedSpan | undefined {
  const parent = tracing.active();
  if (parent === undefined) return undefined;
  const { summary, operation } = shownStatement(main);
  const span = parent.startChild({
    name: summary,
    kind: 'client',
    attributes: {
      'db.system.name': 'postgresql',
      'db.operation.name': operation,
      'db.query.summary': summary,
      'db.query.text': (batch ?? [{ text: main }])
        .map((each) => shownStatement(each.text).text)
        .join('; ')
        .slice(0, MAX_LENGTH),
      ...(batch && batch.length > 1 && { 'db.operation.batch.size': batch.length }),
    },
  });
  return span ?? undefined;
}

/** Ends the span of a round trip with its error, or the number of rows. Messages of errors may contain values. */
export function endStatementSpan(span: RecordedSpan, error: unknown, answer: unknown): void {
  if (error) return span.end({ failure: failureOf(error) });
  const rows = (answer as Partial<QueryResult> | undefined)?.rowCount;
  span.end(typeof rows === 'number' ? { attributes: { 'db.response.returned_rows': rows } } : {});
}
