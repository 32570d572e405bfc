import { printResult } from './console-output.js';

const GAP = '  ';
/** Control characters, which could move the cursor of a terminal or break a line of values. */
const CONTROL = /\p{Cc}/gu;

export interface Column<T> {
  readonly title: string;
  readonly value: (record: T) => string | number | null;
}

/** Prints records in one of three forms: a table on a terminal, lines of tab-separated values, or JSON lines. */
export class RecordPrinter<T extends object> {
  private widths: readonly number[] | null = null;

  constructor(
    private readonly columns: readonly Column<T>[],
    private readonly isJson: boolean,
  ) {}

  /** Prints some records. The first ones decide the widths of the table. */
  print(records: readonly T[]): void {
    if (this.isJson) for (const record of records) printResult(JSON.stringify(record));
    else if (process.stdout.isTTY) this.printTable(records);
    else for (const record of records) printResult(this.cellsOf(record).join('\t'));
  }

  private printTable(records: readonly T[]): void {
    const rows = records.map((record) => this.cellsOf(record));
    if (this.widths === null && rows.length > 0) {
      const titles = this.columns.map(({ title }) => title);
      this.widths = titles.map((title, at) =>
        Math.max(title.length, ...rows.map((row) => row[at]?.length ?? 0)),
      );
      rows.unshift(titles);
    }
    for (const row of rows) printResult(this.alignedLine(row));
  }

  private alignedLine(row: readonly string[]): string {
    return row
      .map((cell, at) => cell.padEnd(this.widths?.[at] ?? 0))
      .join(GAP)
      .trimEnd();
  }

  private cellsOf(record: T): string[] {
    return this.columns.map(({ value }) => toCell(value(record)));
  }
}

/** Prints one record as a line for each property, or as JSON. */
export function printRecord(record: object, isJson = false): void {
  if (isJson) return printResult(JSON.stringify(record));
  const entries = Object.entries(record);
  const width = Math.max(...entries.map(([name]) => name.length));
  for (const [name, value] of entries) {
    const cell = toCell(value);
    printResult(process.stdout.isTTY ? `${name.padEnd(width)}${GAP}${cell}` : `${name}\t${cell}`);
  }
}

function toCell(value: unknown): string {
  const text = typeof value === 'string' ? value : value === null ? '' : JSON.stringify(value);
  return text.replaceAll(CONTROL, '?');
}
