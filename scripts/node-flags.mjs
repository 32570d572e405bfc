// The Node.js flags of the service. package.json and the Dockerfile repeat them.

/**
 * Limits the space for new objects to 4 MB (12 MB in all). By default it grows to 16 MB under load, memory
 * grows by as much again for objects that survive there, and nothing gets faster.
 */
export const NODE_FLAGS = ['--enable-source-maps', '--max-semi-space-size=4'];
