import type { MigrationInterface, QueryRunner } from 'typeorm';

/** The statements of a migration, as PostgreSQL receives them. */
export interface RecordedMigration {
  readonly name: string;
  readonly transaction: boolean;
  readonly up: readonly string[];
  readonly down: readonly string[];
}

const sent = async (way: (runner: QueryRunner) => Promise<unknown>): Promise<string[]> => {
  const statements: string[] = [];
  const query = (sql: string) => Promise.resolve(statements.push(sql) && []);
  // A migration may use only hand-written SQL, so nothing else exists here.
  await way({ query } as unknown as QueryRunner);
  return statements
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

const ADD_COLUMN = /\bADD COLUMN\b/i;
const rules: readonly Rule[] = [
  {
    // ON ONLY a partitioned table builds nothing. PostgreSQL refuses CONCURRENTLY there.
    says: 'an index on an existing table is made CONCURRENTLY',
    breaks: (sql) =>
      /\bCREATE (?:UNIQUE )?INDEX (?!CONCURRENTLY\b)(?![^(]*\bON ONLY audit_entries\b)/i.test(sql),
  },
  {
    says: 'CONCURRENTLY needs `transaction = false`, and a statement of its own',
    breaks: (sql, { transaction, up }) => /\bCONCURRENTLY\b/i.test(sql) && (transaction || up.length > 1),
  },
  {
    says: 'a NOT NULL column of an existing table has a default',
    breaks: (sql) =>
      sql
        .split(/,(?=\s*ADD COLUMN\b)/i)
        .some(
          (part) =>
            ADD_COLUMN.test(part) && /\bNOT NULL\b/i.test(part) && !/\b(?:DEFAULT|GENERATED)\b/i.test(part),
        ),
  },
  {
    says: 'a column becomes NOT NULL through a constraint that was validated before',
    breaks: (sql) => /\bALTER COLUMN\s+\S+\s+SET NOT NULL\b/i.test(sql),
  },
  {
    says: 'a constraint of an existing table is added NOT VALID, a unique one USING INDEX',
    breaks: (sql) =>
      /\bADD CONSTRAINT\b/i.test(sql) && !/\bNOT VALID\b/i.test(sql) && !/\bUSING INDEX\b/i.test(sql),
  },
  {
    says: 'a release does not drop, rename or retype what the one before still reads',
    breaks: (sql, _, release) =>
      /\bDROP (?:TABLE|COLUMN|VIEW|TYPE)\b|\bRENAME (?:TO|COLUMN|\S+ TO)\b|\bALTER COLUMN\s+\S+\s+(?:SET DATA )?TYPE\b/i.test(
        sql,
      ) && !isContraction(sql, release),
  },
];

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

const createdTables = (sql: string): string[] =>
  [...sql.matchAll(new RegExp(String.raw`\bCREATE (?:UNLOGGED )?TABLE\s+${NAME}`, 'gi'))].map(
    (match) => match[1] ?? '',
  );

function touchedTables(sql: string): string[] {
  const places = [
    String.raw`\b(?:ALTER|DROP) (?:TABLE|VIEW|TYPE)\s+`,
    String.raw`\bCREATE (?:UNIQUE )?INDEX\b[^(]*?\bON\s+`,
    String.raw`\bDROP INDEX\s+(?:CONCURRENTLY\s+)?`,
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
