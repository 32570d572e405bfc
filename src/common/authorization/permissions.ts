/** The names of all permissions, as keys. `src/modules/permissions.ts` adds those that the features declare. */
// oxlint-disable-next-line typescript/no-empty-object-type, typescript/no-empty-interface -- empty here because features add their names by declaration merging, which a type alias cannot do
export interface PermissionNames {}

/** A right that a role can contain. */
export type Permission = keyof PermissionNames;
