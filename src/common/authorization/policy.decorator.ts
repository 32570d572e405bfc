import { applyDecorators, SetMetadata } from '@nestjs/common';
import {
  ApiBearerAuth,
  ApiExtension,
  ApiForbiddenResponse,
  ApiNotFoundResponse,
  ApiUnauthorizedResponse,
} from '@nestjs/swagger';
import { ErrorResponse } from '../errors/error.response.js';
import type { Permission } from './permissions.js';

/** The condition for calling a route. A route without a policy refuses every caller. */
export type Policy =
  | { readonly kind: 'public' }
  | { readonly kind: 'signed-in' }
  | { readonly kind: 'permission'; readonly permission: Permission }
  | { readonly kind: 'one-of'; readonly permissions: readonly Permission[] }
  | { readonly kind: 'all-of'; readonly permissions: readonly Permission[] }
  | { readonly kind: 'self-or-permission'; readonly permission: Permission };

export const POLICY_METADATA = 'gatehouse:policy';
/** Carries the policy to the OpenAPI document, which states it in words. Removed before the document is served. */
export const POLICY_EXTENSION = 'x-policy';

/** Returns the policy that the handler or else its controller declares. */
export const declaredPolicy = (handler: object, controller: object): Policy | undefined =>
  (Reflect.getMetadata(POLICY_METADATA, handler) ?? Reflect.getMetadata(POLICY_METADATA, controller)) as
    Policy | undefined;

const declare = (policy: Policy) =>
  applyDecorators(SetMetadata(POLICY_METADATA, policy), ApiExtension(POLICY_EXTENSION, policy));
const closed = (policy: Policy) =>
  applyDecorators(
    declare(policy),
    ApiBearerAuth(),
    ApiUnauthorizedResponse({ type: ErrorResponse, description: 'The access token is missing or invalid' }),
  );

/** Opens the route to everyone. It ignores an invalid token, so that a client can sign in again. */
export const Public = () => declare({ kind: 'public' });

/** Admits any authenticated user, for the user's own data. */
export const SignedIn = () => closed({ kind: 'signed-in' });

/** Admits holders of the permission. Other callers get 403. */
export const Requires = (permission: Permission) =>
  applyDecorators(
    closed({ kind: 'permission', permission }),
    ApiForbiddenResponse({ type: ErrorResponse, description: `Needs \`${permission}\`` }),
  );

/**
 * Admits holders of at least one of these permissions; the handler decides which one the request needs. Other
 * callers get 403.
 */
export const RequiresOneOf = (...permissions: Permission[]) =>
  applyDecorators(
    closed({ kind: 'one-of', permissions }),
    ApiForbiddenResponse({
      type: ErrorResponse,
      description: `Depending on the request, needs one of ${permissions.map((each) => `\`${each}\``).join(', ')}`,
    }),
  );

/** Admits holders of all these permissions. Other callers get 403. */
export const RequiresAllOf = (...permissions: Permission[]) =>
  applyDecorators(
    closed({ kind: 'all-of', permissions }),
    ApiForbiddenResponse({
      type: ErrorResponse,
      description: `Needs ${permissions.map((each) => `\`${each}\``).join(' and ')}`,
    }),
  );

/** Admits the user that the route's `id` names, and holders of the permission. Other callers get 404. */
export const SelfOr = (permission: Permission) =>
  applyDecorators(
    closed({ kind: 'self-or-permission', permission }),
    ApiNotFoundResponse({
      type: ErrorResponse,
      description: `The record does not exist, or it belongs to another user and the caller lacks \`${permission}\``,
    }),
  );
