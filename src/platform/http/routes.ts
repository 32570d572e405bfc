import type { Express, Request } from 'express';

/** What Express' router keeps of a route, and its types leave open. */
interface Route {
  readonly path: unknown;
  readonly methods: Readonly<Record<string, boolean>>;
}

interface RoutedLayer {
  match(path: string): boolean;
  readonly route?: Route;
}

/** A label's values must be few: paths that no route serves all count as this one. */
export const UNMATCHED = 'unmatched';

/** The methods that some route serves under `path`, in the spelling of an `Allow` header. */
export function allowedMethods(express: Express, path: string): string[] {
  const methods = new Set<string>();
  for (const layer of express.router.stack as unknown as RoutedLayer[]) {
    if (!layer.route || isMiddleware(layer.route) || !matches(layer, path)) continue;
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

/** `/api/users/:id`, never the path itself: known once the request was routed. */
export function routePattern(request: Request): string {
  const route = request.route as Route | undefined;
  return typeof route?.path === 'string' && !isMiddleware(route) ? route.path : UNMATCHED;
}

/** Nest registers middleware as routes of every method there is, which no route of ours serves. */
const isMiddleware = (route: Route): boolean => route.methods['trace'] === true;
