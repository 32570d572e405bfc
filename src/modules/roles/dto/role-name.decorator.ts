import { Matches, type ValidationOptions } from 'class-validator';

export const ROLE_NAME = /^[a-z][a-z0-9_-]{0,49}$/;

export const ROLE_NAME_RULE = 'must be a role name (a to z, 0 to 9, - and _; at most 50 characters)';

/** Validates a role name. The alphabet is small because role names appear in tokens and paths. */
export const IsRoleName = (options?: ValidationOptions): PropertyDecorator =>
  Matches(ROLE_NAME, {
    message: `$property ${ROLE_NAME_RULE}`,
    ...options,
  });
