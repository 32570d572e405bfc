/** A statement's worth: none holds rows for long. */
const BATCH = 1000;
const MAX_BATCHES = 100;

/** Deletes `limit` rows at a time; what is left after so many is the next run's. `deleteSome` says how many there were. */
export async function inBatches(deleteSome: (limit: number) => Promise<number>): Promise<void> {
  for (let batch = 0; batch < MAX_BATCHES; batch++) {
    if ((await deleteSome(BATCH)) < BATCH) return;
  }
}
