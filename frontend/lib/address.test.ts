import { describe, expect, it } from "vitest";
import { runIdOf } from "./address";

describe("runIdOf", () => {
  it.each([
    ["/stream", "run=r1", "r1"],
    ["/stream.html", "run=a-b-c", "a-b-c"],
    ["/runs/r1", "", "r1"],
    ["/runs/r1/", "run=other", "r1"],
    ["/stream", "", undefined],
    ["/stream", "run=-bad", undefined],
    ["/stream", `run=${"a".repeat(41)}`, undefined],
    ["/runs/..%2Fx", "", undefined],
  ])("%s?%s names %s", (path, search, id) => {
    expect(runIdOf(path, new URLSearchParams(search))).toBe(id);
  });
});
