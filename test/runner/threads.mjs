import { existsSync } from 'node:fs';
import { registerHooks } from 'node:module';
import { fileURLToPath } from 'node:url';
import { isMainThread } from 'node:worker_threads';

/** Lets threads that the service starts in a test run its sources, as the loader does for the tests. */
if (!isMainThread) {
  const { transformFileSync } = await import('@swc/core');
  registerHooks({
    resolve(specifier, context, next) {
      const isSource = (context.parentURL?.endsWith('.ts') ?? false) || isMissing(specifier);
      return next(isSource ? specifier.replace(/^(\.|file:)(.*)\.js$/, '$1$2.ts') : specifier, context);
    },
    load(url, context, next) {
      if (!url.endsWith('.ts') || url.includes('/node_modules/')) return next(url, context);
      const { code } = transformFileSync(fileURLToPath(url), { swcrc: true, sourceMaps: 'inline' });
      return { format: 'module', source: code, shortCircuit: true };
    },
  });
}

function isMissing(specifier) {
  return specifier.startsWith('file:') && !existsSync(fileURLToPath(specifier));
}
