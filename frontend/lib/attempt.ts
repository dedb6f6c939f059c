/** One event of one attempt: `(attempt, event) → attempt`. Pure; nothing is changed in place. */
import type { OutEvent, UnknownEvent } from "./events";
import type { Attempt, Part, TextPart, ToolPart } from "./parts";

type NewPart = Part extends infer P ? (P extends Part ? Omit<P, "key"> : never) : never;

export function openAttempt(number: number, ts: number): Attempt {
  return { number, parts: [], stepFrom: 0, nextKey: 0, startedAt: ts, lastAt: ts, chars: 0 };
}

export function pushPart(a: Attempt, part: NewPart): Attempt {
  const whole = { ...part, key: a.nextKey } as Part;
  return { ...a, parts: [...a.parts, whole], nextKey: a.nextKey + 1 };
}

export const keepUnknown = (a: Attempt, event: UnknownEvent): Attempt =>
  pushPart({ ...a, lastAt: event.ts }, { kind: "unknown", event });

export function applyOut(before: Attempt, e: OutEvent): Attempt {
  const a = { ...before, lastAt: e.ts };
  switch (e.type) {
    case "start":
      return { ...a, model: e.model ?? a.model, startedAt: e.ts };
    case "start-step":
      return { ...a, askedAt: a.askedAt ?? e.ts, stepFrom: a.parts.length };
    case "reset-step":
      return resetStep(a, e.reason);
    case "text-start":
    case "reasoning-start":
      return pushPart(a, { kind: kindOf(e.type), id: e.id, text: "", done: false });
    case "text-delta":
    case "reasoning-delta":
      return appendText(a, kindOf(e.type), e.id, e.delta, e.ts);
    case "text-end":
    case "reasoning-end":
      return endText(a, kindOf(e.type), e);
    case "tool-input-start":
      return withTool(a, e.toolCallId, (t) => ({ ...t, toolName: e.toolName }));
    case "tool-input-delta":
      return withTool(a, e.toolCallId, (t) => ({
        ...t,
        inputText: t.inputText + e.inputTextDelta,
      }));
    case "tool-input-available":
      return withTool(a, e.toolCallId, (t) => ({
        ...t,
        toolName: e.toolName,
        input: e.input,
        status: "working",
      }));
    case "tool-output-available":
      return withTool(a, e.toolCallId, (t) => ({
        ...t,
        output: e.output,
        status: e.preliminary ? "working" : "done",
      }));
    case "tool-output-error":
      return withTool(a, e.toolCallId, (t) => ({
        ...t,
        errorText: e.errorText,
        status: "failed",
      }));
    case "data-usage":
      return { ...a, usage: e.data }; // cumulative: it replaces, it never adds
    case "data-plan":
    case "data-diff":
    case "data-verify":
      return putData(a, e.type, e.data);
    case "log":
      return pushPart(a, { kind: "log", level: e.level, message: e.message, ts: e.ts });
    case "finish":
      return { ...a, end: { kind: "finish", reason: e.finishReason } };
    case "abort":
      return { ...a, end: { kind: "abort", reason: e.reason } };
    case "error":
      return { ...a, end: { kind: "error", code: e.code, text: e.errorText } };
  }
}

const kindOf = (type: string): TextPart["kind"] => (type.startsWith("text") ? "text" : "reasoning");

/** The step's text so far is set aside behind a mark; its logs, results and gaps stay. */
function resetStep(a: Attempt, reason: string | undefined): Attempt {
  const isVoid = (p: Part) =>
    p.kind === "text" || p.kind === "reasoning" || (p.kind === "tool" && p.status === "writing");
  const step = a.parts.slice(a.stepFrom);
  const text = step.map((p) => (p.kind === "text" ? p.text : "")).join("");
  const kept = step.filter((p) => !isVoid(p));
  const cut = { ...a, parts: [...a.parts.slice(0, a.stepFrom), ...kept] };
  const marked = pushPart(cut, { kind: "reset", reason, text });
  return { ...marked, stepFrom: marked.parts.length };
}

/** The newest part that answers `is`, from the end: ids may be used again after a reset. */
function findLast(a: Attempt, is: (p: Part) => boolean): number {
  for (let i = a.parts.length - 1; i >= 0; i--) {
    const part = a.parts[i];
    if (part && is(part)) return i;
  }
  return -1;
}

function replacePart(a: Attempt, index: number, part: Part): Attempt {
  const parts = a.parts.slice();
  parts[index] = part;
  return { ...a, parts };
}

function appendText(a: Attempt, kind: TextPart["kind"], id: string, delta: string, ts: number) {
  const timed = {
    ...a,
    chars: a.chars + delta.length,
    firstDeltaAt: a.firstDeltaAt ?? ts,
    lastDeltaAt: ts,
  };
  const at = findLast(a, (p) => p.kind === "gap" || (p.kind === kind && p.id === id));
  const part = a.parts[at];
  if (part?.kind === kind) return replacePart(timed, at, { ...part, text: part.text + delta });
  return pushPart(timed, { kind, id, text: delta, done: false }); // a gap stands where it is
}

type Ending = { id: string; text?: string; length?: number };

/**
 * The end carries the whole value, which heals what a gap had torn; when the value is too large it
 * carries only its length in bytes.
 */
function endText(a: Attempt, kind: TextPart["kind"], e: Ending): Attempt {
  const open = (p: Part): p is TextPart => p.kind === kind && p.id === e.id && !p.done;
  const torn = a.parts.filter(open);
  const [first] = torn;
  const text = e.text ?? torn.map((p) => p.text).join("");
  if (!first) return pushPart(a, { kind, id: e.id, text, done: true });
  if (e.text !== undefined) {
    const parts = a.parts.filter((p) => p === first || !open(p));
    const healed = parts.map((p) => (p === first ? { ...first, text, done: true } : p));
    return { ...a, parts: healed };
  }
  const incomplete = e.length !== undefined && e.length !== byteLength(text);
  const last = torn.at(-1);
  const parts = a.parts.map((p) =>
    open(p) ? { ...p, done: true, ...(incomplete && p === last ? { incomplete } : {}) } : p,
  );
  return { ...a, parts };
}

const byteLength = (text: string) => new TextEncoder().encode(text).length;

function withTool(a: Attempt, toolCallId: string, change: (t: ToolPart) => ToolPart): Attempt {
  const at = findLast(a, (p) => p.kind === "tool" && p.toolCallId === toolCallId);
  const tool = a.parts[at] as ToolPart | undefined;
  if (tool) return replacePart(a, at, change(tool));
  const { key: _, ...made } = change({
    kind: "tool",
    key: 0,
    toolCallId,
    toolName: "tool",
    inputText: "",
    status: "writing",
  });
  return pushPart(a, made);
}

/** A plan, diff or verify result replaces the one before it, where that one stands. */
function putData(a: Attempt, name: string, data: unknown): Attempt {
  const at = findLast(a, (p) => p.kind === "data" && p.name === name);
  const part = a.parts[at];
  if (part?.kind === "data") return replacePart(a, at, { ...part, data });
  return pushPart(a, { kind: "data", name, data });
}
