import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { TestApp } from '../../support/test-app.js';

describe('POST /api/users', () => {
  let app: TestApp;
  beforeAll(async () => {
    app = await TestApp.create();
  });
  afterAll(() => app.close());

  it('answers 201 with the e-mail and a string id to the very first request anybody sends', async () => {
    const answer = await app
      .request('post', '/api/users')
      .send({ email: 'test@example.com', password: 'secure_password123', name: 'Test User' });
    expect(answer.status).toBe(201);
    expect(answer.body).toMatchObject({ email: 'test@example.com', id: expect.any(String) });
  });
});
