import type { Express } from 'express';

/** What Express' router keeps of a route, and its types leave open. */
interface RoutedLayer {
  match(path: string): boolean;
  readonly route?: { readonly methods: Readonly<Record<string, boolean>> };
}

/** The methods that some route serves under `path`, in the spelling of an `Allow` header. */
export function allowedMethods(express: Express, path: string): string[] {
  const methods = new Set<string>();
  for (const layer of express.router.stack as unknown as RoutedLayer[]) {
    // Nest registers middleware as routes of every method there is, which no route of ours serves.
    if (!layer.route || layer.route.methods['trace'] || !matches(layer, path)) continue;
    for (const method of Object.keys(layer.route.methods)) methods.add(method.toUpperCase());
  }
  if (methods.has('GET')) methods.add('HEAD');
  return [...methods].toSorted();
}

/** A path parameter that cannot be decoded makes the router throw; such a path matches nothing. */
function matches(layer: RoutedLayer, path: string): boolean {
  try {
    return layer.match(path);
  } catch {
    return false;
  }
}
