/** Numbers and times as people read them. A missing value is a dash, never a zero. */

const dash = "–";

export function formatCount(n: number | null | undefined): string {
  if (n == null || !Number.isFinite(n)) return dash;
  if (n < 10_000) return Math.round(n).toLocaleString("en-US");
  if (n < 999_950) return `${(n / 1000).toFixed(n < 99_950 ? 1 : 0)}k`;
  return `${(n / 1_000_000).toFixed(1)}M`;
}

/** `840 ms`, `4.2 s`, `1 m 05 s`, `2 h 03 m`. */
export function formatDuration(ms: number | null | undefined): string {
  if (ms == null || !Number.isFinite(ms)) return dash;
  const t = Math.max(0, ms);
  if (t < 999.5) return `${Math.round(t)} ms`;
  if (t < 59_950) return `${(t / 1000).toFixed(1)} s`;
  const s = Math.round(t / 1000);
  if (s < 3600) return `${Math.floor(s / 60)} m ${pad(s % 60)} s`;
  const m = Math.floor(s / 60);
  return `${Math.floor(m / 60)} h ${pad(m % 60)} m`;
}

/** Like `formatDuration` for a clock that ticks: whole seconds, so that it doesn't flicker. */
export function formatClock(ms: number | null | undefined): string {
  if (ms == null || !Number.isFinite(ms)) return dash;
  const s = Math.max(0, Math.floor(ms / 1000));
  const h = Math.floor(s / 3600);
  const rest = `${h > 0 ? pad(Math.floor((s % 3600) / 60)) : Math.floor(s / 60)}:${pad(s % 60)}`;
  return h > 0 ? `${h}:${rest}` : rest;
}

export function formatRate(perSecond: number | null | undefined): string {
  if (perSecond == null || !Number.isFinite(perSecond) || perSecond <= 0) return dash;
  return perSecond < 10 ? perSecond.toFixed(1) : String(Math.round(perSecond));
}

/** A cost of nothing is `$0`; a small one keeps two significant digits. */
export function formatCost(usd: number | null | undefined): string {
  if (usd == null || !Number.isFinite(usd)) return dash;
  if (usd === 0) return "$0";
  if (usd >= 0.01) return `$${usd.toFixed(2)}`;
  const digits = Math.min(8, 1 - Math.floor(Math.log10(usd)));
  return `$${usd.toFixed(digits)}`;
}

export function formatAgo(ts: number, now: number): string {
  const s = Math.max(0, Math.round((now - ts) / 1000));
  if (s < 10) return "just now";
  if (s < 60) return `${s} s ago`;
  if (s < 3600) return `${Math.floor(s / 60)} min ago`;
  if (s < 86_400) return `${Math.floor(s / 3600)} h ago`;
  const days = Math.floor(s / 86_400);
  return days === 1 ? "yesterday" : `${days} days ago`;
}

export function ordinal(n: number): string {
  const tail = n % 100;
  if (tail >= 11 && tail <= 13) return `${n}th`;
  return `${n}${["th", "st", "nd", "rd"][n % 10] ?? "th"}`;
}

/** `https://github.com/owner/name.git` → `owner/name`; a path keeps its last two parts. */
export function shortRepo(repo: string): string {
  const path = repo
    .replace(/^[a-z+]+:\/\/[^/]+\//i, "")
    .replace(/\.git\/?$/, "")
    .replace(/\/+$/, "");
  const parts = path.split("/").filter(Boolean);
  return parts.slice(-2).join("/") || repo;
}

export const shortCommit = (sha: string): string => sha.slice(0, 7);

/** A reason as the services write it ("no such run"), as a sentence. */
export function sentence(text: string): string {
  const trimmed = text.trim();
  const whole = /[.!?…]$/.test(trimmed) || trimmed === "" ? trimmed : `${trimmed}.`;
  return whole.charAt(0).toUpperCase() + whole.slice(1);
}

export const plural = (n: number, word: string): string => `${n} ${word}${n === 1 ? "" : "s"}`;

const pad = (n: number): string => String(n).padStart(2, "0");
