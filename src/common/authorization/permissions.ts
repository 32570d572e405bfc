/** The names of all permissions, as keys. `src/modules/permissions.ts` adds those that the features declare. */
// oxlint-disable-next-line typescript/no-empty-object-type, typescript/no-empty-interface -- merged by declaration
export interface PermissionNames {}

/** A right that a role can contain. */
export type Permission = keyof PermissionNames;
