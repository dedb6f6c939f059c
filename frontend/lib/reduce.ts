/**
 * The state of a run on screen: one pure function `(state, message) → state`, keyed by variation,
 * attempt and part. What nothing has touched keeps its identity, so that only changed cards draw.
 *
 * An `.out` event whose (attempt, n) is not above its variation's last changes nothing: that is
 * what makes every reload, resume and overlap show the same text.
 */
import { applyOut, keepUnknown, openAttempt, pushPart } from "./attempt";
import type { OutEvent, Problem, StreamMessage, UnknownEvent } from "./events";
import type { Attempt } from "./parts";
import type { Reason, RunSpec, StateMessage, Summary, VariationSummary } from "./run";

export type Variation = {
  index: number;
  /** Place of the newest event applied. */
  last?: { attempt: number; n: number };
  attempts: readonly Attempt[];
  /** The stream has said that something is missing after `last`. */
  pendingGap?: string;
};

export type RunState = {
  spec?: RunSpec;
  summary?: Summary;
  refused?: Reason;
  variations: readonly Variation[];
  /** Everything that was stored when the stream opened has been shown. */
  caughtUp: boolean;
  ended: boolean;
  gap?: string;
  problem?: Problem;
  unreadable: number;
};

export const emptyRun: RunState = {
  variations: [],
  caughtUp: false,
  ended: false,
  unreadable: 0,
};

export function reduce(state: RunState, message: StreamMessage): RunState {
  switch (message.kind) {
    case "out":
    case "unknown":
      return reduceEvent(state, message.event, message.kind === "out" ? message.event : undefined);
    case "state":
      return reduceState(state, message.message);
    case "caught-up":
      return state.caughtUp ? state : { ...state, caughtUp: true };
    case "gap":
      return reduceGap(state, message.reason, message.variation);
    case "end":
      return { ...state, caughtUp: true, ended: true };
    case "problem":
      return { ...state, problem: message.problem };
    case "unreadable":
      return { ...state, unreadable: state.unreadable + 1 };
  }
}

export const reduceAll = (state: RunState, messages: readonly StreamMessage[]): RunState =>
  messages.reduce(reduce, state);

/** The attempt to show: the newest the state log or the agent has spoken of. */
export function currentAttempt(
  variation: Variation,
  summary: VariationSummary | undefined,
): Attempt | undefined {
  const newest = variation.attempts.at(-1);
  const number = Math.max(summary?.attempt ?? 0, newest?.number ?? 0);
  return newest?.number === number ? newest : undefined;
}

type Placed = Pick<OutEvent | UnknownEvent, "variation" | "attempt" | "n" | "ts">;

function isNews(last: Variation["last"], e: Placed): boolean {
  if (!last || e.attempt > last.attempt) return true;
  return e.attempt === last.attempt && e.n > last.n;
}

function reduceEvent(state: RunState, event: OutEvent | UnknownEvent, known?: OutEvent): RunState {
  const variations = withRoom(state.variations, event.variation + 1);
  const variation = variations[event.variation];
  if (!variation || !isNews(variation.last, event)) return state;
  const attempt = markGap(variation, event);
  const next = known ? applyOut(attempt, known) : keepUnknown(attempt, event as UnknownEvent);
  const changed: Variation = {
    index: variation.index,
    last: { attempt: event.attempt, n: event.n },
    attempts: [...variation.attempts.filter((a) => a.number !== next.number), next],
  };
  return { ...state, variations: replaceAt(variations, event.variation, changed) };
}

/** The attempt the event belongs to, with a mark at its end when events before this one are missing. */
function markGap(v: Variation, e: Placed): Attempt {
  const open = v.attempts.at(-1);
  const same = open?.number === e.attempt ? open : undefined;
  const attempt = same ?? openAttempt(e.attempt, e.ts);
  const missing = e.n - (same && v.last ? v.last.n + 1 : 0);
  const told = v.pendingGap !== undefined && !same;
  if (missing <= 0 && !told) return attempt;
  return pushPart(attempt, { kind: "gap", missing, reason: v.pendingGap });
}

function reduceState(state: RunState, { change, summary }: StateMessage): RunState {
  return {
    ...state,
    summary,
    spec: change.spec ?? state.spec,
    refused: refusalOf(change, state.refused),
    ended: state.ended && summary.status !== "open",
    variations: withRoom(state.variations, summary.variations.length),
  };
}

/** The id of a refused request may be used again: then the refusal is over. */
function refusalOf(change: StateMessage["change"], before: Reason | undefined) {
  if (change.type === "rejected") return change.error;
  return change.type === "accepted" ? undefined : before;
}

function reduceGap(state: RunState, reason: string, only: number | undefined): RunState {
  const variations = withRoom(state.variations, only === undefined ? 0 : only + 1);
  return {
    ...state,
    gap: only === undefined ? reason : state.gap,
    variations: variations.map((v) =>
      only === undefined || v.index === only ? { ...v, pendingGap: reason } : v,
    ),
  };
}

/** At least `count` variations; a run has at most five, and a wild index makes no more. */
function withRoom(variations: readonly Variation[], count: number): readonly Variation[] {
  if (count <= variations.length || count > 16) return variations;
  const added = Array.from({ length: count - variations.length }, (_, i) => ({
    index: variations.length + i,
    attempts: [],
  }));
  return [...variations, ...added];
}

function replaceAt<T>(list: readonly T[], index: number, item: T): readonly T[] {
  const copy = list.slice();
  copy[index] = item;
  return copy;
}
