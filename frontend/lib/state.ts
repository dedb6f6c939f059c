/** Words for states: colour is never the only sign, and nobody has to know our codes. */
import type { Summary, VariationSummary } from "./run";

export type Tone = "waiting" | "working" | "good" | "bad" | "stopped";

const known: Record<string, { word: string; tone: Tone }> = {
  queued: { word: "Queued", tone: "waiting" },
  scheduling: { word: "Scheduling", tone: "waiting" },
  starting: { word: "Starting", tone: "waiting" },
  running: { word: "Running", tone: "working" },
  cancelling: { word: "Stopping", tone: "working" },
  succeeded: { word: "Done", tone: "good" },
  failed: { word: "Failed", tone: "bad" },
  cancelled: { word: "Cancelled", tone: "stopped" },
  timed_out: { word: "Timed out", tone: "bad" },
  rejected: { word: "Refused", tone: "bad" },
  open: { word: "Running", tone: "working" },
  finished: { word: "Finished", tone: "good" },
};

export function describe(state: string): { word: string; tone: Tone } {
  return known[state] ?? { word: state.replaceAll("_", " "), tone: "waiting" };
}

export const terminal = new Set(["succeeded", "failed", "cancelled", "timed_out"]);
export const isActive = (v: VariationSummary) => !terminal.has(v.state);

/** One word and tone for a whole run, from what its variations are doing. */
export function describeRun(run: { status: string; variations: VariationSummary[] }): {
  word: string;
  tone: Tone;
} {
  if (run.status === "rejected") return describe("rejected");
  const active = run.variations.filter(isActive);
  if (active.length > 0) {
    const busy = active.filter((v) => v.state !== "queued");
    if (busy.length === 0) return describe("queued");
    return busy.every((v) => v.state === "cancelling")
      ? describe("cancelling")
      : describe(busy.some((v) => v.state === "running") ? "running" : "starting");
  }
  if (run.variations.length === 0) return describe(run.status);
  const good = run.variations.filter((v) => v.state === "succeeded").length;
  if (good === run.variations.length) return describe("succeeded");
  if (good > 0) return { word: `${good} of ${run.variations.length} done`, tone: "good" };
  const states = new Set(run.variations.map((v) => v.state));
  const only = states.size === 1 ? [...states][0] : undefined;
  return only ? describe(only) : describe("failed");
}

/** "2 running, 1 queued": the counts of a run's states, in the order of a variation's life. */
export function countStates(summary: Summary): string {
  const counts = new Map<string, number>();
  for (const v of summary.variations) {
    const word = describe(v.state).word.toLowerCase();
    counts.set(word, (counts.get(word) ?? 0) + 1);
  }
  return [...counts].map(([word, n]) => `${n} ${word}`).join(", ");
}
