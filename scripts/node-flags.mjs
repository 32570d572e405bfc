// With what Node runs the service, wherever it is started: package.json and the Dockerfile name the same.

/**
 * The room for what has just been made is bounded to 4 MB (three times that in all): left to itself it grows to 16 MB
 * under load, and memory by as much again for what survives there, while nothing gets quicker.
 */
export const NODE_FLAGS = ['--enable-source-maps', '--max-semi-space-size=4'];
