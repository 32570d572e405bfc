import { applyDecorators, type ExecutionContext, SetMetadata } from '@nestjs/common';
import type { Reflector } from '@nestjs/core';
import {
  ApiBearerAuth,
  ApiForbiddenResponse,
  ApiNotFoundResponse,
  ApiUnauthorizedResponse,
} from '@nestjs/swagger';
import { ErrorResponse } from '../errors/error.response.js';
import type { Permission } from './permissions.js';

/** Who may call a route. A route that declares none is closed to everybody. */
export type Policy =
  | { readonly kind: 'public' }
  | { readonly kind: 'signed-in' }
  | { readonly kind: 'permission'; readonly permission: Permission }
  | { readonly kind: 'one-of'; readonly permissions: readonly Permission[] }
  | { readonly kind: 'self-or-permission'; readonly permission: Permission };

export const POLICY = 'gatehouse:policy';

/** What the route declares, itself or through its controller. */
export const policyOf = (reflector: Reflector, context: ExecutionContext): Policy | undefined =>
  reflector.getAllAndOverride<Policy | undefined>(POLICY, [context.getHandler(), context.getClass()]);

const declare = (policy: Policy) => SetMetadata(POLICY, policy);
const closed = (policy: Policy) =>
  applyDecorators(
    declare(policy),
    ApiBearerAuth(),
    ApiUnauthorizedResponse({ type: ErrorResponse, description: 'No token, or one that is not valid' }),
  );

/** Open to anybody. A token that is not valid is passed over here, so that signing in again works. */
export const Public = () => declare({ kind: 'public' });

/** Any signed-in account, about itself. */
export const SignedIn = () => closed({ kind: 'signed-in' });

/** Only holders of the permission; others are told 403. */
export const Requires = (permission: Permission) =>
  applyDecorators(
    closed({ kind: 'permission', permission }),
    ApiForbiddenResponse({ type: ErrorResponse, description: `Needs \`${permission}\`` }),
  );

/** Only holders of at least one of these, and what is asked decides which; others are told 403. */
export const RequiresOneOf = (...permissions: Permission[]) =>
  applyDecorators(
    closed({ kind: 'one-of', permissions }),
    ApiForbiddenResponse({
      type: ErrorResponse,
      description: `By what is asked, needs ${permissions.map((each) => `\`${each}\``).join(', ')}`,
    }),
  );

/** The account named by the route's `id`, or holders of the permission; others are told 404. */
export const SelfOr = (permission: Permission) =>
  applyDecorators(
    closed({ kind: 'self-or-permission', permission }),
    ApiNotFoundResponse({
      type: ErrorResponse,
      description: `Not there, or another's without \`${permission}\``,
    }),
  );
