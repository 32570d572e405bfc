import { GatehouseError } from './errors.js';
import { type Tokens, type TokenStore, userIdOf } from './tokens.js';

/** Exchanges a refresh token for new tokens. */
export type Exchange = (refreshToken: string) => Promise<Tokens>;

/** The session of the user who is signed in. Renews its tokens once for all requests that need them. */
export class Session {
  private renewal: Promise<Tokens | null> | null = null;

  constructor(
    private readonly store: TokenStore,
    private readonly exchange: Exchange,
  ) {}

  /** Returns an access token that has not expired; null if nobody is signed in. */
  async accessToken(): Promise<string | null> {
    const tokens = await this.store.load();
    if (!tokens || Date.now() < tokens.renewAt) return tokens?.accessToken ?? null;
    return (await this.renew(tokens.accessToken))?.accessToken ?? null;
  }

  /**
   * Returns the access token that takes the place of one that the service has refused; null if there is none, or if
   * another user has signed in, in whose name the request must not be repeated.
   */
  async replace(refused: string): Promise<string | null> {
    const { accessToken = null } = (await this.renew(refused)) ?? {};
    return accessToken !== null && userIdOf(accessToken) === userIdOf(refused) ? accessToken : null;
  }

  async isStarted(): Promise<boolean> {
    return (await this.store.load()) !== null;
  }

  async start(tokens: Tokens): Promise<void> {
    await this.store.save(tokens);
  }

  async end(): Promise<void> {
    await this.store.save(null);
  }

  /** Renews the tokens, unless another client has replaced the access token meanwhile. */
  private renew(accessToken: string): Promise<Tokens | null> {
    this.renewal ??= this.renewNow(accessToken).finally(() => {
      this.renewal = null;
    });
    return this.renewal;
  }

  private renewNow(accessToken: string): Promise<Tokens | null> {
    const work = async () => {
      const tokens = await this.store.load();
      if (!tokens || tokens.accessToken !== accessToken) return tokens;
      const next = await this.exchangeOrEnd(tokens.refreshToken);
      // The user may have signed out meanwhile, or another tab without locks has renewed the tokens.
      const kept = await this.store.load();
      if (kept?.refreshToken !== tokens.refreshToken) return kept;
      await this.store.save(next);
      return next;
    };
    return this.store.exclusively ? this.store.exclusively(work) : work();
  }

  /** Returns null if the session has ended. */
  private async exchangeOrEnd(refreshToken: string): Promise<Tokens | null> {
    try {
      return await this.exchange(refreshToken);
    } catch (error) {
      if (GatehouseError.is(error, 'UNAUTHORIZED')) return null;
      throw error;
    }
  }
}
