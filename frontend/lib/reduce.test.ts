import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { parseMessage, type StreamMessage } from "./events";
import { type Attempt, answerOf } from "./parts";
import { currentAttempt, emptyRun, type RunState, reduce, reduceAll } from "./reduce";

type Fields = { type: string; [name: string]: unknown };

/** Messages of one attempt, numbered from 0 as the agent does. */
function attempt(variation: number, number: number, events: Fields[]): StreamMessage[] {
  return events.map((event, n) =>
    parseMessage(
      "message",
      JSON.stringify({ v: 1, run: "r1", variation, attempt: number, n, ts: 1000 + n, ...event }),
    ),
  );
}

const start = { type: "start", process: "p", model: "m" };
const textStart = { type: "text-start", id: "t1" };
const delta = (text: string, id = "t1") => ({ type: "text-delta", id, delta: text });

const state = (summary: object, change: object = { type: "moved" }): StreamMessage =>
  parseMessage("state", JSON.stringify({ v: 1, run: "r1", ts: 1, change, summary }));

const run = (...messages: StreamMessage[][]) => reduceAll(emptyRun, messages.flat());

function only(state: RunState, variation = 0): Attempt {
  const found = state.variations[variation]?.attempts.at(-1);
  if (!found) throw new Error("no attempt");
  return found;
}

const kinds = (a: Attempt) => a.parts.map((p) => p.kind);

describe("reduce", () => {
  it("joins deltas into the text they were cut from", () => {
    const s = run(attempt(0, 1, [start, textStart, delta("  Hel"), delta("lo\n\n"), delta("  x")]));
    expect(answerOf(only(s))).toBe("  Hello\n\n  x");
  });

  it("keeps variations apart, index 0 included", () => {
    const s = run(
      attempt(0, 1, [start, textStart, delta("zero")]),
      attempt(2, 1, [start, textStart, delta("two")]),
    );
    expect(s.variations.map((v) => answerOf(v.attempts.at(-1)))).toEqual(["zero", "", "two"]);
  });

  it("changes nothing for an event that is not above the last", () => {
    const events = attempt(0, 1, [start, textStart, delta("a"), delta("b")]);
    const s = run(events);
    for (const event of events) expect(reduce(s, event)).toBe(s);
  });

  it("drops a late event of an older attempt", () => {
    const old = attempt(0, 1, [start, textStart, delta("old"), delta(" late")]);
    const s = run(old.slice(0, 3), attempt(0, 2, [start, textStart, delta("new")]));
    const late = old[3];
    expect(late && reduce(s, late)).toBe(s);
    expect(s.variations[0]?.attempts.map(answerOf)).toEqual(["old", "new"]);
  });

  it("leaves untouched variations identical, so that their cards don't draw", () => {
    const s = run(attempt(0, 1, [start]), attempt(1, 1, [start, textStart]));
    const [next] = attempt(0, 1, [start, textStart]).slice(1);
    const after = next ? reduce(s, next) : s;
    expect(after.variations[1]).toBe(s.variations[1]);
    expect(after.variations[0]).not.toBe(s.variations[0]);
  });

  it("replaces a part by the whole text its end carries", () => {
    const end = { type: "text-end", id: "t1", text: "whole" };
    const s = run(attempt(0, 1, [start, textStart, delta("who"), end]));
    expect(only(s).parts).toMatchObject([{ kind: "text", text: "whole", done: true }]);
  });

  it("says when a part is shorter than the agent's proof of it", () => {
    const proof = (length: number) => ({ type: "text-end", id: "t1", length, sha256: "x" });
    const whole = run(attempt(0, 1, [start, textStart, delta("né"), proof(3)]));
    expect(only(whole).parts[0]).not.toHaveProperty("incomplete");
    const cut = run(attempt(0, 1, [start, textStart, delta("né"), proof(9)]));
    expect(only(cut).parts[0]).toHaveProperty("incomplete", true);
  });

  it("begins a step's text again on reset-step, with a mark and without losing its logs", () => {
    const log = { type: "log", level: "warn", message: "rate limited" };
    const s = run(
      attempt(0, 1, [
        start,
        { type: "start-step" },
        textStart,
        delta("first step."),
        { type: "text-end", id: "t1", text: "first step." },
        { type: "start-step" },
        { type: "text-start", id: "t2" },
        delta("wrong", "t2"),
        log,
        { type: "reset-step", reason: "connection lost" },
        { type: "text-start", id: "t2" },
        delta("right", "t2"),
      ]),
    );
    expect(kinds(only(s))).toEqual(["text", "log", "reset", "text"]);
    expect(only(s).parts[2]).toMatchObject({ reason: "connection lost", text: "wrong" });
    expect(answerOf(only(s))).toBe("first step.\n\nright");
  });

  it("follows a tool call from its name to its output", () => {
    const id = { toolCallId: "c1" };
    const events = attempt(0, 1, [
      start,
      { type: "tool-input-start", ...id, toolName: "read" },
      { type: "tool-input-delta", ...id, inputTextDelta: '{"path"' },
      { type: "tool-input-available", ...id, toolName: "read", input: { path: "a" } },
      { type: "tool-output-available", ...id, output: "par", preliminary: true },
      { type: "tool-output-available", ...id, output: "part" },
    ]);
    const at = (n: number) => only(run(events.slice(0, n))).parts[0];
    expect(at(3)).toMatchObject({ status: "writing", inputText: '{"path"' });
    expect(at(5)).toMatchObject({ status: "working", output: "par" });
    expect(at(6)).toMatchObject({ status: "done", output: "part", input: { path: "a" } });
  });

  it("keeps unknown events where they came", () => {
    const s = run(attempt(0, 1, [start, { type: "hologram", depth: 3 }, textStart]));
    expect(kinds(only(s))).toEqual(["unknown", "text"]);
    expect(only(s).parts[0]).toMatchObject({ event: { depth: 3 } });
  });

  it("replaces usage instead of adding it", () => {
    const usage = (n: number) => ({
      type: "data-usage",
      data: { source: "reported", input_tokens: 5, output_tokens: n },
    });
    expect(only(run(attempt(0, 1, [start, usage(3), usage(7)]))).usage?.output_tokens).toBe(7);
  });

  it("marks a hole in the numbering exactly where it is", () => {
    const events = attempt(0, 1, [start, textStart, delta("a"), delta("b"), delta("c")]);
    const s = run(events.slice(0, 3), events.slice(4));
    expect(only(s).parts).toMatchObject([
      { text: "a" },
      { kind: "gap", missing: 1 },
      { text: "c" },
    ]);
  });

  it("heals a torn text by the whole one at its end, and still says that something was missing", () => {
    const end = { type: "text-end", id: "t1", text: "abc" };
    const events = attempt(0, 1, [start, textStart, delta("a"), delta("b"), delta("c"), end]);
    const s = run(events.slice(0, 3), events.slice(4));
    expect(only(s).parts).toMatchObject([{ text: "abc", done: true }, { kind: "gap" }]);
    expect(answerOf(only(s))).toBe("abc");
  });

  it("forgets a refusal when the id is used again", () => {
    const none = { status: "rejected", variations: [] };
    const refused = state(none, { type: "rejected", error: { message: "no" } });
    const spec = { prompt: "why?" };
    const accepted = state({ status: "open", variations: [] }, { type: "accepted", spec });
    expect(run([refused]).refused?.message).toBe("no");
    expect(run([refused, accepted]).refused).toBeUndefined();
  });

  it("says the server's reason at the hole, and nothing when there is none", () => {
    const events = attempt(0, 1, [start, textStart, delta("a"), delta("b"), delta("c")]);
    const gap: StreamMessage = { kind: "gap", reason: "retention removed it", variation: 0 };
    const holed = run(events.slice(0, 3), [gap, gap], events.slice(4));
    expect(only(holed).parts.at(-1)).toMatchObject({ text: "c" });
    expect(only(holed).parts.at(-2)).toMatchObject({
      missing: 1,
      reason: "retention removed it",
    });
    const whole = run(events.slice(0, 3), [gap], events.slice(3));
    expect(kinds(only(whole))).toEqual(["text"]);
  });

  it("takes states from the summary and opens a card for every variation", () => {
    const spec = { prompt: "why?", mode: "analyze", variations: [{ model: "m" }, { model: "n" }] };
    const queued = { state: "queued", attempt: 0 };
    const s = run([
      state({ status: "open", variations: [queued, queued] }, { type: "accepted", spec }),
    ]);
    expect(s.variations).toHaveLength(2);
    expect(s.spec?.prompt).toBe("why?");
    const moved = reduce(s, state({ status: "open", variations: [{ state: "running" }, queued] }));
    expect(moved.summary?.variations[0]?.state).toBe("running");
    expect(moved.spec).toBe(s.spec);
  });

  it("shows the attempt the state log speaks of, before its agent says anything", () => {
    const s = run(attempt(0, 1, [start, textStart, delta("first")]), [
      state({ status: "open", variations: [{ state: "queued", attempt: 2 }] }),
    ]);
    const v = s.variations[0];
    expect(v && currentAttempt(v, s.summary?.variations[0])).toBeUndefined();
    expect(v && currentAttempt(v, undefined)?.number).toBe(1);
  });

  it("keeps a refusal with its reason", () => {
    const error = { code: "unknown-model", message: "no model of that name here" };
    const s = run([state({ status: "rejected", variations: [] }, { type: "rejected", error })]);
    expect(s.refused).toMatchObject(error);
  });

  it("remembers caught-up, end, problems and unreadable messages", () => {
    const s = run([
      { kind: "caught-up" },
      { kind: "unreadable", data: "?" },
      { kind: "problem", problem: { status: 503 } },
      { kind: "end", status: "finished" },
    ]);
    expect(s).toMatchObject({
      caughtUp: true,
      ended: true,
      unreadable: 1,
      problem: { status: 503 },
    });
  });
});

describe("reading a run again", () => {
  const text = fc.string({ maxLength: 12 });
  const someEvent: fc.Arbitrary<Fields> = fc.oneof(
    text.map((t) => delta(t)),
    text.map((t) => ({ type: "reasoning-delta", id: "r1", delta: t })),
    text.map((t) => ({ type: "log", level: "info", message: t })),
    text.map((t) => ({ type: "tool-input-delta", toolCallId: "c1", inputTextDelta: t })),
    fc.constant({ type: "start-step" }),
    fc.constant({ type: "reset-step", reason: "again" }),
    fc.constant({ type: "text-end", id: "t1", text: "whole" }),
    fc.constant({ type: "surprise" }),
  );
  /** A few variations of a few attempts each, merged in an order that is exact per variation. */
  const someRun = fc
    .array(fc.array(fc.array(someEvent, { maxLength: 12 }), { minLength: 1, maxLength: 2 }), {
      minLength: 1,
      maxLength: 3,
    })
    .chain((run) => {
      const lanes = run.map((attempts, v) =>
        attempts.flatMap((events, a) => attempt(v, a + 1, [start, ...events])),
      );
      const turns = lanes.flatMap((lane, v) => lane.map(() => v));
      return fc.shuffledSubarray(turns, { minLength: turns.length }).map((order) => {
        const heads = lanes.map(() => 0);
        return order.flatMap((v) => {
          const head = heads[v] ?? 0;
          heads[v] = head + 1;
          return lanes[v]?.[head] ?? [];
        });
      });
    });

  it("gives the same state for every overlap and every repetition", () => {
    fc.assert(
      fc.property(
        someRun,
        fc.array(fc.tuple(fc.nat(), fc.nat()), { maxLength: 6 }),
        (messages, resumes) => {
          const again = messages.slice();
          for (const [a, b] of resumes) {
            // A resume at any point repeats a stretch that ended before it.
            const at = a % (again.length + 1);
            const from = b % (at + 1);
            again.splice(at, 0, ...again.slice(from, at));
          }
          expect(reduceAll(emptyRun, again)).toEqual(reduceAll(emptyRun, messages));
        },
      ),
    );
  });

  it("loses no character of any text", () => {
    fc.assert(
      fc.property(fc.array(text), (pieces) => {
        const s = run(attempt(0, 1, [start, textStart, ...pieces.map((p) => delta(p))]));
        expect(answerOf(only(s))).toBe(pieces.join(""));
      }),
    );
  });

  it("gives the same state in one batch or in many", () => {
    fc.assert(
      fc.property(someRun, fc.nat(), (messages, cut) => {
        const at = cut % (messages.length + 1);
        const half = reduceAll(emptyRun, messages.slice(0, at));
        expect(reduceAll(half, messages.slice(at))).toEqual(reduceAll(emptyRun, messages));
      }),
    );
  });
});
