/** What is being composed, and the request it becomes. Pure: no storage, no clock, no network. */
import type { NewRun } from "@/lib/api";
import type { Info, RunSpec } from "@/lib/run";

export type VariationDraft = {
  /** Stable while it is on screen. */
  key: number;
  model: string;
  /** As typed; empty is the model's own default. */
  temperature: string;
  instructions: string;
};

export type Draft = {
  repo: string;
  ref: string;
  prompt: string;
  mode: "analyze" | "exec";
  minutes: string;
  variations: readonly VariationDraft[];
};

export const maxPromptBytes = 32 * 1024;
const most = 5;

const blank = (key: number, model: string): VariationDraft => ({
  key,
  model,
  temperature: "",
  instructions: "",
});

export const emptyDraft: Draft = {
  repo: "",
  ref: "",
  prompt: "",
  mode: "analyze",
  minutes: "",
  variations: [0, 1, 2].map((key) => blank(key, "")),
};

const nextKey = (rows: readonly VariationDraft[]) => Math.max(-1, ...rows.map((r) => r.key)) + 1;

/** More variations take after the last one; fewer drop from the end. */
export function withCount(draft: Draft, count: number): Draft {
  const rows = draft.variations.slice(0, Math.max(1, Math.min(most, count)));
  while (rows.length < Math.min(most, count)) {
    rows.push(blank(nextKey(rows), rows.at(-1)?.model ?? ""));
  }
  return { ...draft, variations: rows };
}

export function withRow(draft: Draft, key: number, change: Partial<VariationDraft>): Draft {
  const variations = draft.variations.map((row) => (row.key === key ? { ...row, ...change } : row));
  return { ...draft, variations };
}

/** The same model from cool to warm. */
export function fiveTemperatures(draft: Draft): Draft {
  const model = draft.variations[0]?.model ?? "";
  const heats = ["0", "0.3", "0.7", "1", "1.3"];
  return {
    ...draft,
    variations: heats.map((temperature, key) => ({ ...blank(key, model), temperature })),
  };
}

export function oneOfEach(draft: Draft, models: readonly string[]): Draft {
  return { ...draft, variations: models.slice(0, most).map((model, key) => blank(key, model)) };
}

/** A draft that would ask for the same again. */
export function draftOf(spec: RunSpec): Draft {
  const rows = spec.variations.slice(0, most).map((v, key) => ({
    ...blank(key, v.model ?? ""),
    temperature: v.temperature == null ? "" : String(v.temperature),
    instructions: v.instructions ?? "",
  }));
  return {
    ...emptyDraft,
    repo: spec.source?.repo ?? "",
    ref: spec.source?.ref ?? "",
    prompt: spec.prompt,
    mode: spec.mode === "exec" ? "exec" : "analyze",
    variations: rows.length > 0 ? rows : emptyDraft.variations,
  };
}

export type Faults = { prompt?: string; minutes?: string; rows: Record<number, string> };

/** What is wrong, where; nothing wrong is an empty object and no rows. */
export function faultsOf(draft: Draft): Faults {
  const faults: Faults = { rows: {} };
  const bytes = new TextEncoder().encode(draft.prompt.trim()).length;
  if (bytes === 0) faults.prompt = draft.mode === "exec" ? "Type a command." : "Type a prompt.";
  if (bytes > maxPromptBytes) faults.prompt = `The prompt has ${bytes} bytes; at most 32 KiB fit.`;
  const minutes = Number(draft.minutes);
  if (draft.minutes.trim() && !(minutes >= 1 && minutes <= 240))
    faults.minutes = "Between 1 and 240 minutes.";
  for (const row of draft.variations) {
    const heat = Number(row.temperature);
    if (row.temperature.trim() && !(heat >= 0 && heat <= 2))
      faults.rows[row.key] = "A temperature is between 0 and 2.";
  }
  return faults;
}

export const isSound = (f: Faults): boolean =>
  !f.prompt && !f.minutes && Object.keys(f.rows).length === 0;

/** The request: what was left empty is left out, so that the server's defaults hold. */
export function requestOf(draft: Draft, info: Info | undefined): NewRun {
  const text = (value: string) => value.trim() || undefined;
  const exec = draft.mode === "exec" && info?.allow_exec === true;
  return {
    prompt: draft.prompt,
    repo: text(draft.repo),
    ref: text(draft.ref),
    mode: exec ? "exec" : "analyze",
    deadline_s: draft.minutes.trim() ? Math.round(Number(draft.minutes) * 60) : undefined,
    variations: draft.variations.map((row) => ({
      model: exec ? undefined : text(row.model),
      temperature: row.temperature.trim() && !exec ? Number(row.temperature) : undefined,
      instructions: exec ? undefined : text(row.instructions),
    })),
  };
}
