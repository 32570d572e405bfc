import { type DeclaredFlag, defaultSetting, type FlagSetting } from './declared-flag.js';
import { evaluateFlag, type FlagRule, type FlagValue } from './evaluate-flag.js';

interface FlagEntry extends FlagRule {
  readonly setting: FlagSetting;
}

/** The settings of every declared flag at one moment. It never changes; each change makes another snapshot. */
export class FlagSnapshot {
  private readonly entries: ReadonlyMap<string, FlagEntry>;

  /** Takes the flags that the code declares and the settings that are stored. Ignores settings of other flags. */
  constructor(declared: readonly DeclaredFlag[], stored: readonly FlagSetting[]) {
    const settings = new Map(stored.map((setting) => [setting.key, setting]));
    this.entries = new Map(
      declared.map((flag) => {
        const setting = Object.freeze({ ...(settings.get(flag.key) ?? defaultSetting(flag)) });
        const { key, enabled, rolloutPercent, allowUserIds } = setting;
        return [key, { key, enabled, rolloutPercent, allowedUsers: new Set(allowUserIds), setting }];
      }),
    );
    Object.freeze(this);
  }

  /** Returns the value for a user, or for a caller without an account; null for a flag that nobody declares. */
  evaluate(key: string, userId: string | null): FlagValue | null {
    const entry = this.entries.get(key);
    return entry ? evaluateFlag(entry, userId) : null;
  }

  /** Returns null for a flag that nobody declares. */
  settingOf(key: string): FlagSetting | null {
    return this.entries.get(key)?.setting ?? null;
  }

  /** Returns the settings of all declared flags. */
  settings(): FlagSetting[] {
    return [...this.entries.values()].map(({ setting }) => setting);
  }
}
