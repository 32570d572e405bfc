export {
  type ClientErrorCode,
  type ErrorCode,
  GatehouseError,
  type GatehouseErrorFacts,
  type ServiceErrorCode,
} from './errors.js';
export {
  type Api,
  type ExportAuditQuery,
  type ExportUsersQuery,
  Gatehouse,
  type GatehouseOptions,
} from './gatehouse.js';
export type * from './generated/types.gen.js';
export { items, type Page, type PageQuery, pages } from './paging.js';
export type { EventStreamOptions } from './streams/events.js';
export type { StreamOptions } from './streams/resume.js';
export {
  memoryStore,
  type Tokens,
  type TokenStore,
  type WebStorageOptions,
  webStorageStore,
} from './tokens.js';
export type { TransportOptions } from './transport.js';
export {
  verifyWebhook,
  type VerifyOptions,
  type WebhookHeaders,
  type WebhookMessage,
  WebhookVerificationError,
} from './webhooks.js';
