import { Inject, Injectable } from '@nestjs/common';
import { AppError } from '../../common/errors/app.error.js';
import { NIL_UUID } from '../../common/ids.js';
import { decodeCursor, encodeCursor } from '../../common/pagination/cursor.js';
import { type Page, toPage } from '../../common/pagination/page.js';
import {
  assertOffsetOrCursor,
  DEFAULT_LIMIT,
  type PageQuery,
} from '../../common/pagination/page-query.dto.js';
import { type DeclaredFlag, type FlagSetting } from '../../platform/feature-flags/declared-flag.js';
import { DECLARED_FLAGS } from '../../platform/feature-flags/declared-flags.token.js';
import type { FlagValue } from '../../platform/feature-flags/evaluate-flag.js';
import type { FlagSnapshot } from '../../platform/feature-flags/flag-snapshot.js';
import { FlagSnapshots } from '../../platform/feature-flags/flag.snapshots.js';

const SCOPE = { list: 'flags' };

export interface EvaluatedFlag extends FlagValue {
  readonly flag: DeclaredFlag;
}

/** Evaluates flags for callers and shows their settings. Reads nothing but the snapshot of this instance. */
@Injectable()
export class FlagsService {
  /** In the order of their keys. */
  private readonly declared: readonly DeclaredFlag[];

  constructor(
    @Inject(DECLARED_FLAGS) declared: readonly DeclaredFlag[],
    private readonly snapshots: FlagSnapshots,
  ) {
    this.declared = declared.toSorted((one, other) => (one.key < other.key ? -1 : 1));
  }

  /** Returns the flag. @throws AppError `NOT_FOUND` */
  find(key: string): DeclaredFlag {
    const flag = this.declared.find((each) => each.key === key);
    if (!flag) throw new AppError('NOT_FOUND', { message: 'No flag has this key' });
    return flag;
  }

  settingOf({ key }: DeclaredFlag): FlagSetting {
    const setting = this.snapshots.current.settingOf(key);
    if (!setting) throw new Error(`the snapshot lacks the flag ${key}`);
    return setting;
  }

  /** Returns a page of the values for a user, all of one snapshot. */
  list(query: PageQuery, userId: string): Promise<Page<EvaluatedFlag>> {
    assertOffsetOrCursor(query);
    const { limit = DEFAULT_LIMIT, offset = 0, cursor } = query;
    const after = cursor === undefined ? '' : decodeCursor(cursor, SCOPE).key;
    const rows = this.evaluateAll(userId).filter(({ flag }) => flag.key > after);
    return toPage(
      rows.slice(offset, offset + limit + 1),
      query,
      ({ flag }) => encodeCursor({ key: flag.key, id: NIL_UUID }, SCOPE),
      () => Promise.resolve(this.declared.length),
    );
  }

  /** Returns the values of every flag for the user, all of one snapshot. */
  evaluateAll(userId: string): EvaluatedFlag[] {
    const snapshot = this.snapshots.current;
    return this.declared.map((flag) => evaluated(snapshot, flag, userId));
  }

  /** Returns the value of one flag for the user. */
  evaluate(flag: DeclaredFlag, userId: string): EvaluatedFlag {
    return evaluated(this.snapshots.current, flag, userId);
  }
}

function evaluated(snapshot: FlagSnapshot, flag: DeclaredFlag, userId: string): EvaluatedFlag {
  const value = snapshot.evaluate(flag.key, userId);
  if (!value) throw new Error(`the snapshot lacks the flag ${flag.key}`);
  return { flag, ...value };
}
