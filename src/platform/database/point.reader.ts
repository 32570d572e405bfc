import { requestContext } from '../../common/context/request-context.js';

/** A bound on the parameters of one statement. Beyond it the next statement begins. */
const MAX_IDS = 100;

interface Batch<Row> {
  readonly ids: Set<string>;
  readonly rows: Promise<ReadonlyMap<string, Row>>;
}

/**
 * Reads single rows by id for many requests at once: the ids that are asked for in one turn of the event loop become one
 * statement. The statement is sent after the last of them asked, so each answer is as current as that of a statement of its own. Must not
 * be used inside a transaction, whose own changes it would not see.
 */
export class PointReader<Row extends { readonly id: string }> {
  private batch: Batch<Row> | null = null;

  /** Takes `readAll`, which sends one statement, and the time in ms after which that is cancelled. */
  constructor(
    private readonly readAll: (ids: string[]) => Promise<Row[]>,
    private readonly timeLimitMs: number,
  ) {}

  async find(id: string): Promise<Row | null> {
    const batch = (this.batch ??= this.begin());
    batch.ids.add(id);
    if (batch.ids.size === MAX_IDS) this.batch = null;
    const rows = await batch.rows;
    return rows.get(id) ?? null;
  }

  private begin(): Batch<Row> {
    const ids = new Set<string>();
    return { ids, rows: this.send(ids) };
  }

  /** Does not end with the request that asked first, because others wait for the same statement. */
  private async send(ids: Set<string>): Promise<ReadonlyMap<string, Row>> {
    await new Promise((resolve) => setImmediate(resolve));
    if (this.batch?.ids === ids) this.batch = null;
    const rows = await requestContext.share(this.timeLimitMs, () => this.readAll([...ids]));
    return new Map(rows.map((row) => [row.id, row]));
  }
}
