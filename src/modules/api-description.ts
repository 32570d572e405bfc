import { propertyDescriptions } from './property-descriptions.js';
import type { ApiDescription } from '../platform/openapi/openapi.js';

/** The part of the OpenAPI document that describes the API as a whole. Controllers name one of the tags by `@ApiTags`. */
export const apiDescription: ApiDescription = {
  description:
    'Accounts, sign-in and roles. Sign in with `POST /api/auth/login`, then enter the `access_token` under **Authorize**.',
  meanings: propertyDescriptions,
  tags: [
    { name: 'auth', description: 'Sign-in, sessions and account recovery' },
    { name: 'users', description: 'Accounts' },
    { name: 'roles', description: 'Roles and their permissions' },
    { name: 'resources', description: 'Resources that accounts own and can transfer' },
    { name: 'jobs', description: 'Bulk work in the background' },
    { name: 'export', description: 'Full exports of one consistent snapshot' },
    {
      name: 'events',
      description:
        'The ordered log of what happened. `GET /ws` is a WebSocket (subprotocol `gatehouse.v1`) that sends the caller’s events as they happen: `{"type":"event","position":"…","event":{…}}`. The access token travels in `Authorization`; a browser offers `ticket.<ticket>` as a second subprotocol. A client may send `{"type":"resume","after":"<position>"}`, `{"type":"subscribe","types":["…"]}` (needs `events:read`) and `{"type":"ping"}`',
    },
    { name: 'flags', description: 'Feature flags, also by the OpenFeature Remote Evaluation Protocol' },
    { name: 'webhooks', description: 'Events delivered to other systems' },
    { name: 'audit', description: 'The audit log and its proofs' },
  ],
};
