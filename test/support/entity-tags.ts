/** The ETag of a user or resource, by the contract. */
export const tagOf = ({ id, version }: { readonly id: string; readonly version: number }): string =>
  `"${id}.${version}"`;
