/** The line by which the harness knows the address of a peer. */
export function announce(server) {
  process.stdout.write(`listening on http://127.0.0.1:${server.address().port}\n`);
}
