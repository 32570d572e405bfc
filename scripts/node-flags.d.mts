export const NODE_FLAGS: readonly string[];
export const ALLOCATOR_SETTINGS: Readonly<Record<string, string>>;
