/** The number of rows per statement, small enough that no statement holds row locks for long. */
const BATCH = 1000;
const MAX_BATCHES = 100;

/**
 * Handles rows in batches of `limit`, and leaves the rest after MAX_BATCHES to the next run. `handleSome`
 * returns the number of rows it handled.
 */
export async function deleteInBatches(
  handleSome: (limit: number) => Promise<number>,
  limit = BATCH,
): Promise<void> {
  for (let batch = 0; batch < MAX_BATCHES; batch++) {
    if ((await handleSome(limit)) < limit) return;
  }
}
