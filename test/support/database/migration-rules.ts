import type { MigrationInterface, QueryRunner } from 'typeorm';

/** The statements of a migration, as PostgreSQL receives them. */
export interface RecordedMigration {
  readonly name: string;
  readonly transaction: boolean;
  readonly up: readonly string[];
  readonly down: readonly string[];
}

/** The body of a function is not run by the migration; that of a DO block is. */
const FUNCTION_BODY = /(\b(?:FUNCTION|PROCEDURE)\b[^;]*?)\$(\w*)\$[^]*?\$\2\$/gi;

const sent = async (way: (runner: QueryRunner) => Promise<unknown>): Promise<string[]> => {
  const statements: string[] = [];
  const query = (sql: string) => Promise.resolve(statements.push(sql) && []);
  // A migration may use only hand-written SQL, so nothing else exists here.
  await way({ query } as unknown as QueryRunner);
  return statements
    .map((statement) => statement.replaceAll(FUNCTION_BODY, '$1'))
    .flatMap((statement) => statement.split(/;\s*(?:\n|$)/))
    .filter((text) => text.trim() !== '');
};

/** Runs both directions of a migration without a database and records their statements. */
export async function record(name: string, migration: MigrationInterface): Promise<RecordedMigration> {
  return {
    name,
    transaction: migration.transaction !== false,
    up: await sent((runner) => migration.up(runner)),
    down: await sent((runner) => migration.down(runner)),
  };
}

interface Rule {
  readonly says: string;
  readonly breaks: (statement: string, migration: RecordedMigration, release: string) => boolean;
}

/** A column may be added, altered and dropped without the word COLUMN. What follows ADD is then no kind of constraint. */
const ADD_COLUMN =
  /\bADD\s+(?:COLUMN\s+)?(?!(?:COLUMN|CONSTRAINT|CHECK|UNIQUE|PRIMARY|FOREIGN|EXCLUDE|VALUE|TABLE)\b)/i;
const ALTER_COLUMN = String.raw`\bALTER\s+(?!TABLE\b|TYPE\b|INDEX\b)(?:COLUMN\s+)?\S+\s+`;
/** The expressions that PostgreSQL evaluates once for a whole table. Any other rewrites it, row by row. */
const CONSTANT_DEFAULT =
  /\bDEFAULT\s+(?:-?[\d.]+|'[^']*'|true|false|null|now\(\)|CURRENT_TIMESTAMP|ARRAY\[[^\]]*\])/i;

/** Returns the parts of an ALTER TABLE that add a column. */
const addedColumns = (sql: string): string[] =>
  /\bALTER TABLE\b/i.test(sql)
    ? sql.split(/,(?=\s*(?:ADD|ALTER|DROP)\b)/i).filter((part) => ADD_COLUMN.test(part))
    : [];

const rules: readonly Rule[] = [
  {
    // ON ONLY a partitioned table builds nothing. PostgreSQL refuses CONCURRENTLY there.
    says: 'an index on an existing table is made CONCURRENTLY',
    breaks: (sql) =>
      /\bCREATE (?:UNIQUE )?INDEX (?!CONCURRENTLY\b)(?![^(]*\bON ONLY audit_entries\b)/i.test(sql),
  },
  {
    says: 'an index is dropped and rebuilt CONCURRENTLY',
    breaks: (sql) => /\bDROP INDEX (?!CONCURRENTLY\b)|\bREINDEX\b(?!.*\bCONCURRENTLY\b)/i.test(sql),
  },
  {
    says: 'CONCURRENTLY needs `transaction = false`, and a statement of its own',
    breaks: (sql, { transaction, up }) => /\bCONCURRENTLY\b/i.test(sql) && (transaction || up.length > 1),
  },
  {
    says: 'a NOT NULL column of an existing table has a default',
    breaks: (sql) =>
      addedColumns(sql).some(
        (part) => /\bNOT NULL\b/i.test(part) && !/\b(?:DEFAULT|GENERATED)\b/i.test(part),
      ),
  },
  {
    says: 'a new column has a constant default, because any other rewrites the table under its lock',
    breaks: (sql) =>
      addedColumns(sql).some(
        (part) =>
          /\bGENERATED\b|\b(?:small|big)?serial\b/i.test(part) ||
          (/\bDEFAULT\b/i.test(part) && !CONSTANT_DEFAULT.test(part)),
      ),
  },
  {
    says: 'a new column has no constraint of its own, which would be checked under the lock of the table',
    breaks: (sql) =>
      addedColumns(sql).some((part) => /\b(?:CHECK|UNIQUE|PRIMARY KEY|REFERENCES)\b/i.test(part)),
  },
  {
    says: 'a column becomes NOT NULL through a constraint that was validated before',
    breaks: (sql) => new RegExp(`${ALTER_COLUMN}SET NOT NULL\\b`, 'i').test(sql),
  },
  {
    says: 'a constraint of an existing table is added NOT VALID, a unique one USING INDEX',
    breaks: (sql) =>
      /\bADD (?:CONSTRAINT|CHECK|UNIQUE|PRIMARY KEY|FOREIGN KEY|EXCLUDE)\b/i.test(sql) &&
      !/\bNOT VALID\b/i.test(sql) &&
      !/\bUSING INDEX\b/i.test(sql),
  },
  {
    says: 'a constraint is validated in a migration after the one that adds it',
    breaks: (sql, { up }) =>
      /\bVALIDATE CONSTRAINT\b/i.test(sql) && up.some((each) => /\bNOT VALID\b/i.test(each)),
  },
  {
    says: 'a release does not drop, rename or retype what the one before still reads',
    breaks: (sql, _, release) =>
      (/\bDROP (?:TABLE|COLUMN|VIEW|TYPE|FUNCTION|SCHEMA|SEQUENCE)\b|\bRENAME (?:TO|COLUMN|\S+ TO)\b|\bSET SCHEMA\b/i.test(
        sql,
      ) ||
        /\bALTER TABLE\b[^]*\bDROP (?!COLUMN\b|CONSTRAINT\b|NOT NULL\b|DEFAULT\b|EXPRESSION\b|IDENTITY\b)\w/i.test(
          sql,
        ) ||
        new RegExp(`${ALTER_COLUMN}(?:SET DATA )?TYPE\\b`, 'i').test(sql)) &&
      !isContraction(sql, release),
  },
  {
    says: 'a default stays as long as the release before relies on it',
    breaks: (sql, _, release) =>
      new RegExp(`${ALTER_COLUMN}DROP DEFAULT\\b`, 'i').test(sql) && !isContraction(sql, release),
  },
  {
    says: 'an existing table is not locked or rewritten as a whole',
    breaks: (sql) =>
      /^\s*(?:LOCK|TRUNCATE|CLUSTER|VACUUM)\b|\bSET (?:UNLOGGED|LOGGED|TABLESPACE|ACCESS METHOD)\b|\bDETACH PARTITION\b(?!.*\bCONCURRENTLY\b)/i.test(
        sql,
      ),
  },
  {
    says: 'the rows of an existing table are changed by a task in batches',
    breaks: (sql) => /^\s*(?:WITH\b[^]*\b)?(?:UPDATE|DELETE FROM|MERGE INTO)\s/i.test(sql) && !isSmall(sql),
  },
];

/** Tables with a few dozen rows, whatever the size of the installation. */
const SMALL_TABLES = ['roles', 'role_permissions', 'deleted_roles', 'feature_flags'];
const isSmall = (sql: string): boolean => changedTables(sql).every((table) => SMALL_TABLES.includes(table));

/** Checks what each migration does to existing tables against the rules of migrations/README.md. */
export function faultsOf(migrations: readonly RecordedMigration[], release: string): string[] {
  return migrations.flatMap((migration) => {
    const fresh = new Set(migration.up.flatMap(createdTables));
    const judged = migration.up.filter((sql) => touchedTables(sql).some((table) => !fresh.has(table)));
    const broken = judged.flatMap((sql) =>
      rules
        .filter(({ breaks }) => breaks(sql, migration, release))
        .map(({ says }) => `${migration.name}: ${says}`),
    );
    return migration.down.length === 0
      ? [...broken, `${migration.name}: every migration has a way back`]
      : broken;
  });
}

const NAME = String.raw`(?:ONLY\s+)?(?:IF (?:NOT )?EXISTS\s+)?"?([\w.]+)"?`;

/** Precedes the table whose rows a statement changes. */
const CHANGE = String.raw`^\s*(?:WITH\b[^]*\b)?(?:UPDATE|DELETE FROM|MERGE INTO)\s+`;
const changedTables = (sql: string): string[] =>
  [...sql.matchAll(new RegExp(CHANGE + NAME, 'gi'))].map((match) => match[1] ?? '');

const createdTables = (sql: string): string[] =>
  [...sql.matchAll(new RegExp(String.raw`\bCREATE (?:UNLOGGED )?TABLE\s+${NAME}`, 'gi'))].map(
    (match) => match[1] ?? '',
  );

function touchedTables(sql: string): string[] {
  const places = [
    String.raw`\b(?:ALTER|DROP) (?:TABLE|VIEW|TYPE)\s+`,
    String.raw`\bCREATE (?:UNIQUE )?INDEX\b[^(]*?\bON\s+`,
    String.raw`\bDROP (?:INDEX|FUNCTION|SCHEMA|SEQUENCE)\s+(?:CONCURRENTLY\s+)?`,
    String.raw`\bREINDEX\s+(?:TABLE|INDEX)\s+(?:CONCURRENTLY\s+)?`,
    String.raw`\b(?:LOCK TABLE|TRUNCATE(?: TABLE)?|CLUSTER|VACUUM FULL)\s+`,
    CHANGE,
  ];
  return places.flatMap((place) =>
    [...sql.matchAll(new RegExp(place + NAME, 'gi'))].map((match) => match[1] ?? ''),
  );
}

/** Tells whether the statement carries `-- contract: unread since 0.3.0` with a release before this one. */
function isContraction(sql: string, release: string): boolean {
  const since = /-- contract: unread since (\d+\.\d+\.\d+)\b/.exec(sql)?.[1];
  return since !== undefined && since.localeCompare(release, 'en', { numeric: true }) < 0;
}
