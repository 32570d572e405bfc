import { Matches, type ValidationOptions } from 'class-validator';

export const ROLE_NAME = /^[a-z][a-z0-9_-]{0,49}$/;

export const ROLE_NAME_RULE = 'must be a role name (a to z, 0 to 9, - and _; at most 50 characters)';

/** A role's name: it stands in tokens and paths, so its alphabet is small. */
export const IsRoleName = (options?: ValidationOptions): PropertyDecorator =>
  Matches(ROLE_NAME, {
    message: `$property ${ROLE_NAME_RULE}`,
    ...options,
  });
