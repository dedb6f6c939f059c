import { describe, expect, it } from "vitest";
import { elapsedMs, figuresOf, stepsOf, totalsOf } from "./numbers";
import type { Attempt } from "./parts";

const attempt = (change: Partial<Attempt> = {}): Attempt => ({
  number: 1,
  parts: [],
  stepFrom: 0,
  nextKey: 0,
  startedAt: 1000,
  askedAt: 1200,
  firstDeltaAt: 1500,
  lastDeltaAt: 3500,
  lastAt: 3600,
  chars: 400,
  ...change,
});

describe("figuresOf", () => {
  it("estimates from the text until the agent reports", () => {
    expect(figuresOf(attempt())).toMatchObject({
      tokens: 100,
      perSecond: 50,
      ttftMs: 300,
      costUsd: undefined,
      estimated: true,
    });
  });

  it("takes what was reported, a cost of nothing included", () => {
    const usage = { source: "reported" as const, output_tokens: 80, cost_usd: 0, ttft_ms: 0 };
    expect(figuresOf(attempt({ usage }))).toMatchObject({
      tokens: 80,
      ttftMs: 0,
      costUsd: 0,
      estimated: false,
    });
  });

  it("marks what the agent itself estimated", () => {
    const usage = { source: "estimated" as const, output_tokens: 80 };
    expect(figuresOf(attempt({ usage })).estimated).toBe(true);
  });

  it("has nothing to say of a command, nor before anything happened", () => {
    expect(figuresOf(attempt(), undefined, true)).toEqual({ estimated: false });
    expect(figuresOf(undefined).tokens).toBeUndefined();
  });

  it("gives no rate for less than a quarter of a second", () => {
    expect(figuresOf(attempt({ lastDeltaAt: 1600 })).perSecond).toBeUndefined();
  });
});

describe("elapsedMs", () => {
  it("runs to now, and stands still at the end", () => {
    expect(elapsedMs(attempt(), { state: "running", started: 1100 }, 5100)).toBe(4000);
    expect(elapsedMs(attempt(), { state: "failed", started: 1100, since: 3100 }, 9999)).toBe(2000);
    expect(elapsedMs(undefined, undefined, 9999)).toBeUndefined();
  });
});

describe("totalsOf", () => {
  it("adds what is known", () => {
    const all = [
      { tokens: 3, costUsd: 0.5, estimated: false },
      { estimated: true, tokens: 4 },
    ];
    expect(totalsOf(all)).toEqual({ tokens: 7, costUsd: 0.5, estimated: true });
    expect(totalsOf([]).costUsd).toBeUndefined();
  });
});

describe("stepsOf", () => {
  it("tells each known step by the time since the one before", () => {
    const startup = { admitted: 1000, scheduled: 1100, ready: 3600, first_token: 3590 };
    expect(stepsOf(startup)).toEqual([
      { name: "scheduled", ms: 100 },
      { name: "ready", ms: 2500 },
      { name: "first token", ms: 0 },
    ]);
  });

  it("has nothing to tell of a single step, or of none", () => {
    expect(stepsOf({ ready: 1 })).toEqual([]);
    expect(stepsOf(undefined)).toEqual([]);
  });
});
