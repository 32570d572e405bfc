import type { Express, Request } from 'express';

/** A route as Express' router stores it; its types omit this. */
interface Route {
  readonly path: unknown;
  readonly methods: Readonly<Record<string, boolean>>;
}

interface RoutedLayer {
  match(path: string): boolean;
  readonly route?: Route;
}

/** The label for all paths without a route, because a label must have few values. */
export const UNMATCHED = 'unmatched';

/** Returns the methods that some route serves under `path`, formatted for an `Allow` header. */
export function allowedMethods(express: Express, path: string): string[] {
  const methods = new Set<string>();
  for (const layer of express.router.stack as unknown as RoutedLayer[]) {
    if (!layer.route || isMiddleware(layer.route) || !matchesLayer(layer, path)) continue;
    for (const method of Object.keys(layer.route.methods)) methods.add(method.toUpperCase());
  }
  if (methods.has('GET')) methods.add('HEAD');
  return [...methods].toSorted();
}

/**
 * Tells whether the layer matches. The router throws on a path parameter that cannot be decoded; such a path
 * matches nothing.
 */
function matchesLayer(layer: RoutedLayer, path: string): boolean {
  try {
    return layer.match(path);
  } catch {
    return false;
  }
}

/**
 * Returns the pattern of the route (`/api/users/:id`), never the path itself. Available once the request is
 * routed.
 */
export function routePattern(request: Request): string {
  const route = request.route as Route | undefined;
  return typeof route?.path === 'string' && !isMiddleware(route) ? route.path : UNMATCHED;
}

/**
 * Tells whether the route is middleware. Nest registers middleware as routes for every method, and no route
 * of ours serves TRACE.
 */
const isMiddleware = (route: Route): boolean => route.methods['trace'] === true;
