/**
 * What the stream of a run says, checked at the door: inside, nothing is checked twice.
 * An event this page does not know is kept as it came (`UnknownEvent`); it is never an error.
 */

import { type StateMessage, stateMessageSchema } from "./run";
import { usageSchema } from "./usage";
import { z } from "./zod";

const envelope = {
  v: z.literal(1),
  run: z.string(),
  variation: z.int().min(0),
  attempt: z.int().min(1),
  n: z.int().min(0),
  ts: z.number(),
};
const id = { id: z.string() };
const call = { toolCallId: z.string() };
/** A whole value up to 256 KiB, beyond that its length and SHA-256. */
const whole = {
  ...id,
  text: z.string().optional(),
  length: z.number().optional(),
  sha256: z.string().optional(),
};
const type = <T extends string, S extends z.core.$ZodLooseShape>(name: T, shape: S) =>
  z.object({ ...envelope, type: z.literal(name), ...shape });

export const outEventSchema = z.discriminatedUnion("type", [
  type("start", { process: z.string().optional(), model: z.string().optional() }),
  type("start-step", {}),
  type("reset-step", { reason: z.string().optional() }),
  type("reasoning-start", id),
  type("reasoning-delta", { ...id, delta: z.string() }),
  type("reasoning-end", whole),
  type("text-start", id),
  type("text-delta", { ...id, delta: z.string() }),
  type("text-end", whole),
  type("tool-input-start", { ...call, toolName: z.string() }),
  type("tool-input-delta", { ...call, inputTextDelta: z.string() }),
  type("tool-input-available", { ...call, toolName: z.string(), input: z.unknown() }),
  type("tool-output-available", {
    ...call,
    output: z.unknown(),
    preliminary: z.boolean().optional(),
  }),
  type("tool-output-error", { ...call, errorText: z.string() }),
  type("data-usage", { data: usageSchema }),
  type("data-plan", { data: z.unknown() }),
  type("data-diff", { data: z.unknown() }),
  type("data-verify", { data: z.unknown() }),
  type("log", { level: z.enum(["info", "warn", "error"]), message: z.string() }),
  type("finish", { finishReason: z.string().optional() }),
  type("abort", { reason: z.string().optional() }),
  type("error", { code: z.string().optional(), errorText: z.string() }),
]);

/** Only what every event of any version has: enough to place it and to pass it on. */
const unknownEventSchema = z.looseObject({ ...envelope, v: z.int(), type: z.string() });

export type OutEvent = z.infer<typeof outEventSchema>;
export type UnknownEvent = z.infer<typeof unknownEventSchema>;

export const gapSchema = z.looseObject({
  reason: z.string().optional(),
  variation: z.int().min(0).optional(),
});
export const endSchema = z.looseObject({ run_id: z.string().optional(), status: z.string() });
export const problemSchema = z.looseObject({
  type: z.string().optional(),
  title: z.string().optional(),
  status: z.number().optional(),
  detail: z.string().optional(),
  code: z.string().optional(),
});
export type Problem = z.infer<typeof problemSchema>;

/** One thing the stream said. */
export type StreamMessage =
  | { kind: "out"; event: OutEvent }
  | { kind: "unknown"; event: UnknownEvent }
  | { kind: "state"; message: StateMessage }
  | { kind: "caught-up" }
  | { kind: "gap"; reason: string; variation?: number }
  | { kind: "end"; status: string }
  | { kind: "problem"; problem: Problem }
  | { kind: "unreadable"; data: string };

/** The names of the SSE events a run's stream uses; `message` is an `.out` event. */
export const streamEventNames = ["message", "state", "caught-up", "gap", "end", "error"] as const;
export type StreamEventName = (typeof streamEventNames)[number];

/** Reads one SSE message. Total: whatever arrives becomes a `StreamMessage`. */
export function parseMessage(name: StreamEventName, data: string): StreamMessage {
  const unreadable: StreamMessage = { kind: "unreadable", data };
  if (name === "caught-up") return { kind: "caught-up" };
  const json = parseJson(data);
  if (json === undefined) return unreadable;
  switch (name) {
    case "message":
      return parseOut(json) ?? unreadable;
    case "state": {
      const state = stateMessageSchema.safeParse(json);
      return state.success ? { kind: "state", message: state.data } : unreadable;
    }
    case "gap": {
      const gap = gapSchema.safeParse(json);
      if (!gap.success) return unreadable;
      const reason = gap.data.reason ?? "some events are no longer kept";
      return { kind: "gap", reason, variation: gap.data.variation };
    }
    case "end": {
      const end = endSchema.safeParse(json);
      return end.success ? { kind: "end", status: end.data.status } : unreadable;
    }
    case "error": {
      const problem = problemSchema.safeParse(json);
      return problem.success ? { kind: "problem", problem: problem.data } : unreadable;
    }
  }
}

function parseOut(json: unknown): StreamMessage | undefined {
  const known = outEventSchema.safeParse(json);
  if (known.success) return { kind: "out", event: known.data };
  const unknown = unknownEventSchema.safeParse(json);
  return unknown.success ? { kind: "unknown", event: unknown.data } : undefined;
}

/** `undefined` for what is not JSON (which `JSON.parse` never returns). */
export function parseJson(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}
