import type { Express } from 'express';
import type { TestApp } from '../app/test-app.js';

/** Returns every route that Express knows as `GET /api/users/{id}`, except those of the documentation and the WebSocket, which OpenAPI cannot describe (test/e2e/live-events/sockets). */
export function routesOf(app: TestApp): string[] {
  const express: Express = app.nest.getHttpAdapter().getInstance();
  return express.router.stack.flatMap(({ route }) => {
    const methods = Object.keys((route as unknown as { methods?: object } | undefined)?.methods ?? {});
    // Nest registers middleware as routes for every method.
    if (!route || methods.includes('trace') || /^\/(?:docs|openapi\.json|ws$)/.test(route.path)) return [];
    const path = route.path.replaceAll(/:(\w+)/g, '{$1}');
    return methods.map((method) => `${method.toUpperCase()} ${path}`);
  });
}
