import { describe, expect, it } from "vitest";
import { parseMessage } from "@/lib/events";
import { emptyRun, reduceAll } from "@/lib/reduce";
import { cardsOf, hasGrown } from "./cards";

const out = (variation: number, n: number, fields: object) =>
  parseMessage(
    "message",
    JSON.stringify({ v: 1, run: "r", variation, attempt: 1, n, ts: n, ...fields }),
  );
const state = (summary: object) =>
  parseMessage("state", JSON.stringify({ change: { type: "moved" }, summary }));

describe("cardsOf", () => {
  const summary = {
    status: "finished",
    pick: { variation: 0 },
    variations: [
      { state: "succeeded", attempt: 1 },
      { state: "queued", attempt: 1 },
    ],
  };
  const run = reduceAll(emptyRun, [state(summary), out(0, 0, { type: "start", model: "m0" })]);

  it("marks the picked variation, number 0 included", () => {
    expect(cardsOf(run, [], []).map((c) => c.picked)).toEqual([true, false]);
  });

  it("shows the place in the queue of what waits", () => {
    const queue = [{ variation: 1, position: 3 }];
    expect(cardsOf(run, queue, []).map((c) => c.position)).toEqual([undefined, 3]);
  });

  it("keeps the identity of cards that show nothing new", () => {
    const before = cardsOf(run, [], []);
    const next = reduceAll(run, [out(1, 0, { type: "start", model: "m1" })]);
    const after = cardsOf(next, [], before);
    expect(after[0]).toBe(before[0]);
    expect(after[1]).not.toBe(before[1]);
    expect(after[1]?.model).toBe("m1");
  });
});

describe("hasGrown", () => {
  const shown = { status: "finished", variations: [{ state: "failed", attempt: 1 }] };

  it("sees a retry and a pick of variation 0, and nothing else", () => {
    expect(hasGrown(shown, { ...shown })).toBe(false);
    expect(hasGrown(shown, { ...shown, pick: { variation: 0 } })).toBe(true);
    const retried = { status: "open", variations: [{ state: "queued", attempt: 2 }] };
    expect(hasGrown(shown, retried)).toBe(true);
    const picked = { ...shown, pick: { variation: 0, ts: 5 } };
    expect(hasGrown(picked, { ...shown, pick: { variation: 1, ts: 6 } })).toBe(true);
  });

  it("is not misled by what was fetched before the end", () => {
    const before = { status: "open", variations: [{ state: "running", attempt: 1 }] };
    expect(hasGrown(shown, before)).toBe(false);
    const picked = { ...shown, pick: { variation: 0, ts: 5 } };
    expect(hasGrown(picked, shown)).toBe(false);
    expect(hasGrown(picked, { ...shown, pick: { variation: 1, ts: 4 } })).toBe(false);
  });
});
