import {
  type EvaluationContext,
  FlagNotFoundError,
  type JsonValue,
  type Provider,
  type ResolutionDetails,
  TypeMismatchError,
} from '@openfeature/server-sdk';
import type { FlagSnapshots } from './flag.snapshots.js';

/** Serves the flags of the database to OpenFeature. Every flag is boolean. */
export class FlagProvider implements Provider {
  readonly runsOn = 'server';
  readonly metadata = { name: 'gatehouse' } as const;

  constructor(private readonly snapshots: FlagSnapshots) {}

  async resolveBooleanEvaluation(
    key: string,
    _: boolean,
    { targetingKey }: EvaluationContext,
  ): Promise<ResolutionDetails<boolean>> {
    const found = this.snapshots.current.evaluate(key, targetingKey ?? null);
    if (!found) throw new FlagNotFoundError(`no flag is named ${key}`);
    return { ...found, variant: found.value ? 'on' : 'off' };
  }

  resolveStringEvaluation(key: string): Promise<ResolutionDetails<string>> {
    return mismatch(key);
  }

  resolveNumberEvaluation(key: string): Promise<ResolutionDetails<number>> {
    return mismatch(key);
  }

  resolveObjectEvaluation<T extends JsonValue>(key: string): Promise<ResolutionDetails<T>> {
    return mismatch(key);
  }
}

const mismatch = (key: string): Promise<never> =>
  Promise.reject(new TypeMismatchError(`the flag ${key} is boolean`));
