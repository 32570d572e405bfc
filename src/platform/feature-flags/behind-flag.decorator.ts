import { applyDecorators, SetMetadata } from '@nestjs/common';
import { ApiExtension } from '@nestjs/swagger';
import type { Request } from 'express';
import type { Principal } from '../../common/authorization/principal.types.js';
import type { DeclaredFlag } from './declared-flag.js';

/** Carries the key of the flag to the OpenAPI document. Removed before the document is served. */
export const FLAG_EXTENSION = 'x-flag';

const FLAG_CONDITION = 'gatehouse:flag';

/** The flag that must be on for the callers of a route. */
export interface FlagCondition {
  readonly flag: DeclaredFlag;
  /** Admits requests that the flag does not concern. */
  readonly isExempt?: (request: Request, caller: Principal | null) => boolean;
}

/**
 * Refuses a request (403) while the flag is off for its caller. The gate asks after the policy of the route, and before it
 * reads the body.
 */
export const BehindFlag = (flag: DeclaredFlag, isExempt?: FlagCondition['isExempt']) =>
  applyDecorators(
    SetMetadata(FLAG_CONDITION, { flag, isExempt } satisfies Record<keyof FlagCondition, unknown>),
    ApiExtension(FLAG_EXTENSION, flag.key),
  );

/** Returns the condition that the handler or else its controller declares. */
export const flagConditionOf = (handler: object, controller: object): FlagCondition | undefined =>
  (Reflect.getMetadata(FLAG_CONDITION, handler) ?? Reflect.getMetadata(FLAG_CONDITION, controller)) as
    FlagCondition | undefined;
