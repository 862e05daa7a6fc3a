// The tokens of a signed-in member: stored, and refreshed by one tab at a time. [refresh]
import type { Storage } from "./storage.js";

export interface Tokens {
  access_token: string;
  refresh_token: string;
}

/** Does the work while no other tab (or task) that shares the session does. */
export type Lock = <T>(work: () => Promise<T>) => Promise<T>;

/** The session is over: the user signs in again. */
export class SessionOver extends Error {}

const TEMPORARY = [408, 425, 429, 500, 502, 503, 504];
/** How long an answer may take. */
const ANSWER_MS = 15_000;

/** The browser's locks, which all tabs of a site share; elsewhere one after another in this process. */
export function defaultLock(): Lock {
  const locks = globalThis.navigator?.locks;
  if (locks !== undefined) return <T>(work: () => Promise<T>) => locks.request("deskwire.refresh", work) as Promise<T>;
  let last: Promise<unknown> = Promise.resolve();
  return <T>(work: () => Promise<T>) => {
    const mine = last.then(work, work);
    last = mine.catch(() => undefined);
    return mine;
  };
}

export class Session {
  /** `storage` is shared by everything that shares the session; `first` are the tokens of signing in. */
  constructor(
    private readonly base: string,
    private readonly storage: Storage,
    first?: Tokens,
    private readonly lock: Lock = defaultLock(),
  ) {
    if (first !== undefined && this.stored() === undefined) storage.set("tokens", JSON.stringify(first));
  }

  private stored(): Tokens | undefined {
    const text = this.storage.get("tokens");
    return text === null ? undefined : (JSON.parse(text) as Tokens);
  }

  /** The newest access token, if one is signed in. */
  accessToken(): string | undefined {
    return this.stored()?.access_token;
  }

  /** A newer access token than this one. Goes on until there is one, the session is over, or `stopped` says so. */
  refresh(old: string, stopped: () => boolean = () => false): Promise<string> {
    return this.lock(async () => {
      for (let attempt = 0; !stopped(); attempt++) {
        const tokens = this.stored();
        if (tokens === undefined) throw new SessionOver("signed out");
        if (tokens.access_token !== old) return tokens.access_token; // another tab was first
        // When the answer is lost, the old refresh token is still stored: the same one is sent again.
        const { answer, wait } = await this.ask(tokens.refresh_token);
        if (answer !== undefined) {
          this.storage.set("tokens", JSON.stringify(answer));
          return answer.access_token;
        }
        await new Promise((resolve) => setTimeout(resolve, wait + jitter(attempt)));
      }
      throw new Error("stopped");
    });
  }

  private async ask(refreshToken: string): Promise<{ answer?: Tokens; wait: number }> {
    let response: Response;
    try {
      response = await fetch(`${this.base}/api/v1/auth/refresh`, {
        method: "POST",
        headers: { "content-type": "application/json" },
        body: JSON.stringify({ refresh_token: refreshToken }),
        signal: AbortSignal.timeout(ANSWER_MS),
      });
      if (response.ok) {
        const { access_token, refresh_token } = (await response.json()) as Tokens;
        return { answer: { access_token, refresh_token }, wait: 0 };
      }
    } catch {
      return { wait: 0 }; // no answer, or half of one
    }
    if (!TEMPORARY.includes(response.status)) {
      this.storage.remove("tokens");
      throw new SessionOver(`refused with ${response.status}`);
    }
    return { wait: 1_000 * (Number(response.headers.get("retry-after")) || 0) };
  }
}

/** A random part of min(30 s, 0.5 s · 2^n). [reconnect] */
export function jitter(attempt: number): number {
  return Math.random() * Math.min(30_000, 500 * 2 ** attempt);
}
