import { describe, expect, it } from '@jest/globals';
import { EventEmitter2 } from '@nestjs/event-emitter';
import { DomainEventsService } from './domain-events.service.js';

describe('DomainEvents', () => {
  const TYPE = 'tests.happened';
  const publishTo = (...listeners: (() => Promise<void>)[]): Promise<void> => {
    const emitter = new EventEmitter2();
    for (const listener of listeners) emitter.on(TYPE, listener);
    return new DomainEventsService(emitter).publish({ type: TYPE });
  };

  it('waits for each listener before it calls the next', async () => {
    const steps: string[] = [];
    const listener = (name: string) => async () => {
      steps.push(`${name} begins`);
      await new Promise((resolve) => setImmediate(resolve));
      steps.push(`${name} ends`);
    };
    await publishTo(listener('one'), listener('two'));
    expect(steps).toEqual(['one begins', 'one ends', 'two begins', 'two ends']);
  });

  it('calls no listener after one that failed, and fails with its error', async () => {
    let called = false;
    const published = publishTo(
      () => Promise.reject(new Error('the first failed')),
      async () => {
        called = true;
      },
    );
    await expect(published).rejects.toThrow('the first failed');
    expect(called).toBe(false);
  });
});
