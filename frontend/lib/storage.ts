/** Small lists this browser remembers. A browser that stores nothing forgets, and nothing breaks. */

import { parseJson } from "./events";
import { z } from "./zod";

const key = "aideator.repositories";
const most = 8;
const listSchema = z.array(z.string()).catch([]);

export function recentRepos(): string[] {
  try {
    return listSchema.parse(parseJson(localStorage.getItem(key) ?? "[]"));
  } catch {
    return [];
  }
}

export function rememberRepo(repo: string): void {
  if (!repo.trim()) return;
  const list = [repo.trim(), ...recentRepos().filter((r) => r !== repo.trim())];
  try {
    localStorage.setItem(key, JSON.stringify(list.slice(0, most)));
  } catch {
    // Storage may be full or forbidden; the run matters, the list does not.
  }
}
