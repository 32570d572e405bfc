export const flagEventTypes = { changed: 'flag.changed' } as const;
