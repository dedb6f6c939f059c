import { describe, expect, it } from "vitest";
import * as f from "./format";

describe("format", () => {
  it("shows a missing value as a dash, and zero as zero", () => {
    for (const show of [f.formatCount, f.formatDuration, f.formatClock, f.formatCost]) {
      expect(show(undefined)).toBe("–");
      expect(show(0)).not.toBe("–");
    }
    expect(f.formatCost(0)).toBe("$0");
  });

  it.each([
    [999, "999"],
    [9_999, "9,999"],
    [10_000, "10.0k"],
    [123_456, "123k"],
    [2_400_000, "2.4M"],
  ])("counts %d as %s", (n, text) => expect(f.formatCount(n)).toBe(text));

  it.each([
    [0, "0 ms"],
    [840, "840 ms"],
    [999.7, "1.0 s"],
    [4_210, "4.2 s"],
    [59_960, "1 m 00 s"],
    [65_000, "1 m 05 s"],
    [7_380_000, "2 h 03 m"],
  ])("says %d ms as %s", (ms, text) => expect(f.formatDuration(ms)).toBe(text));

  it.each([
    [0, "0:00"],
    [65_900, "1:05"],
    [3_605_000, "1:00:05"],
  ])("ticks %d ms as %s", (ms, text) => expect(f.formatClock(ms)).toBe(text));

  it.each([
    [1.234, "$1.23"],
    [0.0123, "$0.01"],
    [0.00042, "$0.00042"],
    [0.0000000001, "$0.00000000"],
  ])("prices %d as %s", (usd, text) => expect(f.formatCost(usd)).toBe(text));

  it.each([
    [1, "1st"],
    [2, "2nd"],
    [3, "3rd"],
    [11, "11th"],
    [22, "22nd"],
  ])("%d is the %s", (n, text) => expect(f.ordinal(n)).toBe(text));

  it.each([
    ["https://github.com/octocat/Hello-World.git", "octocat/Hello-World"],
    ["/srv/projects/aideator/", "projects/aideator"],
    ["https://example.com/", "https://example.com/"],
  ])("shortens %s to %s", (repo, short) => expect(f.shortRepo(repo)).toBe(short));

  it.each([
    ["no such run", "No such run."],
    ["Is it up?", "Is it up?"],
    ["", ""],
    ["3 variations may run at once ", "3 variations may run at once."],
  ])("makes a sentence of %j", (text, whole) => expect(f.sentence(text)).toBe(whole));

  it("says how long ago", () => {
    const now = 1_795_000_000_000;
    expect(f.formatAgo(now + 5_000, now)).toBe("just now");
    expect(f.formatAgo(now - 59_000, now)).toBe("59 s ago");
    expect(f.formatAgo(now - 86_400_000, now)).toBe("yesterday");
  });
});
