/** A statement's worth: none holds rows for long. */
const BATCH = 1000;
const MAX_BATCHES = 100;

/** Handles `limit` rows at a time, and leaves the rest to the next run. `handleSome` returns the number of rows it met. */
export async function inBatches(
  handleSome: (limit: number) => Promise<number>,
  limit = BATCH,
): Promise<void> {
  for (let batch = 0; batch < MAX_BATCHES; batch++) {
    if ((await handleSome(limit)) < limit) return;
  }
}
