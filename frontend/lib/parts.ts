/** What an attempt is made of, in the order it happened. `key` is stable, for lists on screen. */
import type { UnknownEvent } from "./events";
import type { Usage } from "./usage";

export type TextPart = {
  kind: "text" | "reasoning";
  key: number;
  id: string;
  text: string;
  done: boolean;
  /** The agent's own length of the whole value differs from what arrived. */
  incomplete?: boolean;
};

export type ToolPart = {
  kind: "tool";
  key: number;
  toolCallId: string;
  toolName: string;
  inputText: string;
  input?: unknown;
  output?: unknown;
  errorText?: string;
  status: "writing" | "working" | "done" | "failed";
};

export type LogPart = {
  kind: "log";
  key: number;
  level: "info" | "warn" | "error";
  message: string;
  ts: number;
};
export type DataPart = { kind: "data"; key: number; name: string; data: unknown };
/** Something is missing exactly here: so many events, as far as the numbering tells. */
export type GapPart = { kind: "gap"; key: number; missing: number; reason?: string };
/** The step began again here; what it had said before is set aside in `text`. */
export type ResetPart = { kind: "reset"; key: number; reason?: string; text: string };
/** An event of a kind this page does not know, kept as it came. */
export type UnknownPart = { kind: "unknown"; key: number; event: UnknownEvent };

export type Part = TextPart | ToolPart | LogPart | DataPart | GapPart | ResetPart | UnknownPart;

export type AttemptEnd =
  | { kind: "finish"; reason?: string }
  | { kind: "abort"; reason?: string }
  | { kind: "error"; code?: string; text: string };

export type Attempt = {
  number: number;
  model?: string;
  parts: readonly Part[];
  /** Where in `parts` the current step began. */
  stepFrom: number;
  nextKey: number;
  startedAt: number;
  /** When the model was first asked. */
  askedAt?: number;
  firstDeltaAt?: number;
  lastDeltaAt?: number;
  lastAt: number;
  /** Characters of text and thinking the model has written, set-aside ones included. */
  chars: number;
  usage?: Usage;
  end?: AttemptEnd;
};

/** The answer: every text of the attempt, without thinking, tools and logs. */
export function answerOf(attempt: Attempt | undefined): string {
  if (!attempt) return "";
  return attempt.parts
    .filter((p): p is TextPart => p.kind === "text")
    .map((p) => p.text)
    .join("\n\n");
}
