/** Injects the flags that the features declare. */
export const DECLARED_FLAGS = Symbol('DECLARED_FLAGS');
