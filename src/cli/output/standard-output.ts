import { OutputLostError } from './output-lost.error.js';

const lost = new Promise<never>((_, reject) => {
  process.stdout.on('error', (error) => reject(new OutputLostError(error)));
});
// Whoever writes awaits it below. Until then its rejection is no fault of the process.
lost.catch(() => {});

/**
 * Runs work and waits until its output is written.
 * @throws OutputLostError as soon as standard output cannot be written. The work is abandoned, and may wait for ever
 */
export async function whileOutputLasts(work: () => Promise<void>): Promise<void> {
  await Promise.race([work().then(flush), lost]);
}

const flush = (): Promise<void> =>
  new Promise((resolve) => {
    process.stdout.write('', (error) => resolve(error ? lost : undefined));
  });
