import { mkdirSync } from 'node:fs';
import module from 'node:module';
import { fileURLToPath } from 'node:url';

/**
 * Anyone who can write here can run code in the service, so the folder lies among the code and not in a
 * shared temporary folder.
 */
const FOLDER = fileURLToPath(new URL('../../../../node_modules/.cache/gatehouse', import.meta.url));

/**
 * Takes the compiled code of all modules loaded from now on from an earlier start. Does nothing when the
 * folder cannot be written, as in the image. `NODE_COMPILE_CACHE` and `NODE_DISABLE_COMPILE_CACHE` prevail.
 */
export function useCompileCache(): void {
  if (module.getCompileCacheDir() !== undefined) return;
  try {
    mkdirSync(FOLDER, { recursive: true, mode: 0o700 });
    module.enableCompileCache(FOLDER);
  } catch {
    // Without the cache the start only takes longer.
  }
}
