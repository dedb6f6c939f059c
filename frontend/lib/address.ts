/** A run's addresses: `/stream?run=<id>`, and `/runs/<id>` for good; the edge serves one page for both. */

const runIdPattern = /^[a-z0-9]([a-z0-9-]{0,38}[a-z0-9])?$/;

/** The run an address names; `undefined` when it names none, or nothing that could be one. */
export function runIdOf(pathname: string, search: URLSearchParams): string | undefined {
  const id = /^\/runs\/([^/]+)\/?$/.exec(pathname)?.[1] ?? search.get("run") ?? "";
  return runIdPattern.test(id) ? id : undefined;
}

export const streamPath = (id: string): string => `/stream?run=${encodeURIComponent(id)}`;
export const permanentPath = (id: string): string => `/runs/${encodeURIComponent(id)}`;
export const againPath = (id: string): string => `/?from=${encodeURIComponent(id)}`;
