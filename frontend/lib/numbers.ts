/** The live figures of an attempt. Times come from the events, so a replay shows what was true. */
import type { Attempt } from "./parts";
import type { Startup, VariationSummary } from "./run";
import { isActive } from "./state";
import type { Usage } from "./usage";

export type Figures = {
  /** Tokens the model wrote; counted from the length of the text until the agent reports them. */
  tokens?: number;
  inputTokens?: number;
  perSecond?: number;
  ttftMs?: number;
  costUsd?: number;
  /** `tokens` and `perSecond` are estimates. */
  estimated: boolean;
};

const charactersPerToken = 4;
const nothing: Figures = { estimated: false };

/** `plain` is a command's output, which has no tokens. */
export function figuresOf(
  attempt: Attempt | undefined,
  summary?: VariationSummary,
  plain = false,
): Figures {
  if (plain) return nothing;
  const usage: Usage | undefined = attempt?.usage ?? summary?.usage ?? undefined;
  const reported = usage?.output_tokens ?? undefined;
  const guessed =
    attempt && attempt.chars > 0 ? Math.ceil(attempt.chars / charactersPerToken) : undefined;
  const tokens = reported ?? guessed;
  return {
    tokens,
    inputTokens: usage?.input_tokens ?? undefined,
    perSecond: usage?.tokens_per_second ?? rate(attempt, tokens),
    ttftMs: usage?.ttft_ms ?? firstTokenAfter(attempt),
    costUsd: usage?.cost_usd ?? undefined,
    estimated: tokens !== undefined && (reported === undefined || usage?.source === "estimated"),
  };
}

/** No rate before a quarter of a second: it would jump about and mean nothing. */
function rate(a: Attempt | undefined, tokens: number | undefined): number | undefined {
  if (a?.firstDeltaAt === undefined || a.lastDeltaAt === undefined || !tokens) return undefined;
  const ms = a.lastDeltaAt - a.firstDeltaAt;
  return ms < 250 ? undefined : (tokens / ms) * 1000;
}

function firstTokenAfter(a: Attempt | undefined): number | undefined {
  if (a?.firstDeltaAt === undefined) return undefined;
  return Math.max(0, a.firstDeltaAt - (a.askedAt ?? a.startedAt));
}

/** How long the variation has been at it: from its start to its end, or to now. */
export function elapsedMs(
  attempt: Attempt | undefined,
  summary: VariationSummary | undefined,
  now: number,
): number | undefined {
  const from = summary?.started ?? attempt?.startedAt;
  if (from === undefined) return undefined;
  const over = summary !== undefined && !isActive(summary);
  const closed = over ? summary.since : attempt?.end ? attempt.lastAt : undefined;
  return Math.max(0, (closed ?? Math.max(now, attempt?.lastAt ?? now)) - from);
}

const steps = ["admitted", "scheduled", "pulled", "ready", "cloned", "first_token"] as const;
export type Step = { name: string; ms: number };

/** How long each known step of an attempt's beginning took since the one before. */
export function stepsOf(startup: Startup | null | undefined): Step[] {
  const known = steps.flatMap((name) => {
    const at = startup?.[name];
    return at == null ? [] : [{ name: name.replace("_", " "), at }];
  });
  return known
    .slice(1)
    .map(({ name, at }, i) => ({ name, ms: Math.max(0, at - (known[i]?.at ?? at)) }));
}

export type Totals = { tokens: number; costUsd?: number; estimated: boolean };

export function totalsOf(all: readonly Figures[]): Totals {
  const costs = all.map((f) => f.costUsd).filter((c) => c !== undefined);
  return {
    tokens: all.reduce((sum, f) => sum + (f.tokens ?? 0), 0),
    costUsd: costs.length > 0 ? costs.reduce((a, b) => a + b, 0) : undefined,
    estimated: all.some((f) => f.estimated),
  };
}
