/** From the state of a run to what its cards show. */
import type { CardModel } from "@/components/agents/card";
import { shortCommit } from "@/lib/format";
import { currentAttempt, type RunState, type Variation } from "@/lib/reduce";
import type { RunDetail, RunSpec, Summary } from "@/lib/run";
import { isActive } from "@/lib/state";

type VariationSpec = RunSpec["variations"][number];

/** The cards of a run; a card that shows nothing new is the same object as before. */
export function cardsOf(
  run: RunState,
  queue: RunDetail["queue"],
  before: readonly CardModel[],
): CardModel[] {
  return run.variations.map((variation, i) => {
    const card = cardOf(run, variation, queue);
    const old = before[i];
    return old && same(old, card) ? old : card;
  });
}

function cardOf(run: RunState, variation: Variation, queue: RunDetail["queue"]): CardModel {
  const { index } = variation;
  const summary = run.summary?.variations[index];
  const spec = run.spec?.variations[index];
  const attempt = currentAttempt(variation, summary);
  const plain = run.spec?.mode === "exec";
  const queued = summary?.state === "queued";
  return {
    variation,
    summary,
    attempt,
    model: plain ? "command" : (attempt?.model ?? summary?.model ?? spec?.model ?? "model"),
    traits: traitsOf(spec),
    position: queued ? queue.find((q) => q.variation === index)?.position : undefined,
    active: summary ? isActive(summary) : !run.ended,
    picked: run.summary?.pick?.variation === index,
    plain,
  };
}

function traitsOf(spec: VariationSpec | undefined): string | undefined {
  const heat = spec?.temperature == null ? "" : `temperature ${spec.temperature}`;
  return [heat, spec?.instructions].filter(Boolean).join(" · ") || undefined;
}

function same(a: CardModel, b: CardModel): boolean {
  return (Object.keys(b) as (keyof CardModel)[]).every((key) => a[key] === b[key]);
}

/**
 * The run has gone on since its end, which is shown: a retry (a further attempt) or another pick.
 * What is told may also be older than what is shown, fetched before the end; then it has not.
 */
export function hasGrown(shown: Summary | undefined, told: Summary): boolean {
  if (!shown) return true;
  const picked = (s: Summary) => (s.pick ? (s.pick.ts ?? 0) : -1);
  const retried = told.variations.some(
    (v, i) => (v.attempt ?? 0) > (shown.variations[i]?.attempt ?? 0),
  );
  return retried || picked(told) > picked(shown);
}

/** `owner/name @ 1a2b3c4`, or the ref while the commit is not known. */
export function commitOf(source: RunSpec["source"]): string | undefined {
  if (!source) return undefined;
  return source.commit ? shortCommit(source.commit) : (source.ref ?? undefined);
}
