/** Returns the ETag of a user or resource, as the contract defines it. */
export const tagOf = ({ id, version }: { readonly id: string; readonly version: number }): string =>
  `"${id}.${version}"`;
