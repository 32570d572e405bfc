import { describe, expect, it } from '@jest/globals';
import { within } from './within.js';

describe('within', () => {
  it('settles as the work does', async () => {
    await expect(within(60_000, Promise.resolve(7))).resolves.toBe(7);
    await expect(within(60_000, Promise.reject(new Error('its own')))).rejects.toThrow('its own');
  });

  it('fails when the work takes longer, and ignores a later failure of the work', async () => {
    let fail: (error: Error) => void = () => {};
    const endless = new Promise<never>((_, reject) => (fail = reject));
    await expect(within(1, endless)).rejects.toThrow('took longer than 1 ms');
    fail(new Error('much later'));
    await expect(endless).rejects.toThrow('much later');
  });
});
