// Where the client keeps what must outlive a page or a process. Anything with these three functions will do.

export interface Storage {
  get(name: string): string | null;
  set(name: string, value: string): void;
  remove(name: string): void;
}

/** Forgets everything when the process ends. */
export function memory(): Storage {
  const kept = new Map<string, string>();
  return {
    get: (name) => kept.get(name) ?? null,
    set: (name, value) => void kept.set(name, value),
    remove: (name) => void kept.delete(name),
  };
}

/** The browser's localStorage, shared by all tabs of a site. */
export function local(prefix = "deskwire."): Storage {
  return {
    get: (name) => localStorage.getItem(prefix + name),
    set: (name, value) => localStorage.setItem(prefix + name, value),
    remove: (name) => localStorage.removeItem(prefix + name),
  };
}
