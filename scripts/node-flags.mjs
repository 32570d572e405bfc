// The Node.js flags of the service and the settings of its memory allocator. package.json and the Dockerfile repeat them.

/**
 * Gives new objects 16 MB (48 MB in all), so that what lives only for one request dies there. With 4 MB a request on
 * `GET /api/users/me` costs 1.4 to 1.8 times the CPU time. The minimum is the same, because a start would otherwise
 * collect 20 times until it has grown to that size.
 */
export const NODE_FLAGS = ['--enable-source-maps', '--min-semi-space-size=16', '--max-semi-space-size=16'];

/**
 * Makes glibc serve all threads from one heap and keep what was freed. A password hash needs 19 MB for 30 ms. By default
 * each thread keeps such a block in a heap of its own, 40 to 60 MB in all; with one heap that gives memory back at once,
 * a hash costs twice the CPU time.
 */
export const ALLOCATOR_SETTINGS = {
  MALLOC_ARENA_MAX: '1',
  MALLOC_MMAP_THRESHOLD_: String(32 * 1024 * 1024),
  MALLOC_TRIM_THRESHOLD_: String(256 * 1024 * 1024),
};
