import { afterAll, beforeAll, expect, it } from '@jest/globals';
import { noChromium } from '../../support/app/browser.js';
import { ADMIN, PASSWORD, signIn } from '../../support/app/test-app.js';
import { wherePossible } from '../../support/app/where-possible.js';
import { DocumentedService } from '../../support/docs/documented-service.js';

/** Opening a page takes seconds of CPU time. */
const PAGE_MS = 120_000;

// The full-size version, with every route, is test/browser/swagger-ui.browser-spec.ts.
wherePossible(noChromium, 'Swagger UI in a browser', () => {
  let service: DocumentedService;
  beforeAll(async () => {
    service = await DocumentedService.start();
  });
  afterAll(() => service?.stop());

  it(
    'sends its requests to its own origin, and links to the document',
    async () => {
      const foreign = await service.open(service.url);
      expect(await foreign.selectedServer()).toBe('/');
      expect(await foreign.links()).toContain('/openapi.json');
      expect(await foreign.execute(service.shown('GET /health/live'))).toEqual(['200']);
      const own = await service.open(service.publicUrl);
      expect(await own.selectedServer()).toBe(service.publicUrl);
      expect(await own.execute(service.shown('GET /health/live'))).toEqual(['200']);
    },
    PAGE_MS,
  );

  it(
    'succeeds with the prefilled values, and with an id that was typed',
    async () => {
      const page = await service.open(service.url);
      const { id, token } = await signIn(service.url, ADMIN.email, PASSWORD);
      await page.authorize(token);
      expect(await page.execute(service.shown('POST /api/users'))).toEqual(['201']);
      expect(await page.execute(service.shown('GET /api/users'))).toEqual(['200']);
      expect(await page.execute(service.shown('GET /api/users/{id}'), { id })).toEqual(['404', '200']);
    },
    PAGE_MS,
  );
});
