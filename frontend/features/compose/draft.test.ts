import { describe, expect, it } from "vitest";
import type { Info } from "@/lib/run";
import * as d from "./draft";

const info = { allow_exec: true } as Info;
const asked = (change: Partial<d.Draft>) => ({ ...d.emptyDraft, prompt: "why?", ...change });

describe("the composer's draft", () => {
  it("leaves out what was left empty", () => {
    const request = d.requestOf(asked({}), info);
    expect(JSON.parse(JSON.stringify(request))).toEqual({
      prompt: "why?",
      mode: "analyze",
      variations: [{}, {}, {}],
    });
  });

  it("sends the prompt byte for byte, and numbers as numbers", () => {
    let draft = asked({ prompt: "  why?\n", minutes: "2", repo: " /srv/x " });
    draft = d.withRow(draft, 0, { temperature: "0", model: "m" });
    expect(d.requestOf(draft, info)).toMatchObject({
      prompt: "  why?\n",
      repo: "/srv/x",
      deadline_s: 120,
      variations: [{ model: "m", temperature: 0 }, {}, {}],
    });
  });

  it("asks for a command only where commands are allowed", () => {
    const draft = asked({ mode: "exec" });
    expect(d.requestOf(draft, info).mode).toBe("exec");
    expect(d.requestOf(draft, { ...info, allow_exec: false }).mode).toBe("analyze");
    expect(d.requestOf(draft, undefined).mode).toBe("analyze");
  });

  it("keeps between one and five variations, with distinct keys", () => {
    for (const count of [0, 1, 3, 5, 9]) {
      const rows = d.withCount(d.withCount(asked({}), 2), count).variations;
      expect(rows.length).toBe(Math.max(1, Math.min(5, count)));
      expect(new Set(rows.map((r) => r.key)).size).toBe(rows.length);
    }
  });

  it("makes presets of five temperatures and of one of each model", () => {
    expect(d.fiveTemperatures(asked({})).variations).toHaveLength(5);
    const each = d.oneOfEach(asked({}), ["a", "b"]).variations;
    expect(each.map((r) => r.model)).toEqual(["a", "b"]);
  });

  it("says what is wrong, where", () => {
    expect(d.isSound(d.faultsOf(asked({})))).toBe(true);
    expect(d.faultsOf(asked({ prompt: " \n " })).prompt).toBe("Type a prompt.");
    expect(d.faultsOf(asked({ prompt: "é".repeat(16_385) })).prompt).toMatch(/32770 bytes/);
    expect(d.faultsOf(asked({ minutes: "0" })).minutes).toBeDefined();
    const hot = d.withRow(asked({}), 1, { temperature: "2.5" });
    expect(Object.keys(d.faultsOf(hot).rows)).toEqual(["1"]);
    const odd = d.withRow(asked({}), 1, { temperature: "warm" });
    expect(d.isSound(d.faultsOf(odd))).toBe(false);
  });

  it("asks for the same again", () => {
    const spec = {
      prompt: "why?",
      mode: "analyze",
      source: { repo: "/srv/x", ref: "main", commit: "abc" },
      variations: [{ model: "m", temperature: 0.5 }, { model: "n" }],
    };
    expect(d.requestOf(d.draftOf(spec), info)).toMatchObject({
      prompt: "why?",
      repo: "/srv/x",
      ref: "main",
      variations: [{ model: "m", temperature: 0.5 }, { model: "n" }],
    });
  });
});
