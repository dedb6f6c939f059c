import { describe, expect, it } from "vitest";
import { parseMessage } from "./events";

const envelope = { v: 1, run: "r1", variation: 0, attempt: 1, n: 3, ts: 1_795_000_000_000 };
const read = (fields: object) =>
  parseMessage("message", JSON.stringify({ ...envelope, ...fields }));

describe("parseMessage", () => {
  it("reads a text delta as scripts write it", () => {
    const message = read({ type: "text-delta", id: "t1", delta: "Hi" });
    expect(message).toMatchObject({
      kind: "out",
      event: { type: "text-delta", delta: "Hi", n: 3 },
    });
  });

  it("accepts both forms of a part's end", () => {
    expect(read({ type: "text-end", id: "t1", text: "Hi" }).kind).toBe("out");
    expect(read({ type: "text-end", id: "t1", length: 9, sha256: "ab" }).kind).toBe("out");
  });

  it("keeps an event of an unknown type with all its fields", () => {
    const message = read({ type: "text-hologram", depth: 3 });
    expect(message).toMatchObject({ kind: "unknown", event: { type: "text-hologram", depth: 3 } });
  });

  it("keeps an event of a newer version", () => {
    expect(read({ v: 2, type: "text-delta", id: "t1", delta: "Hi" }).kind).toBe("unknown");
  });

  it("keeps a known event whose fields it can't read", () => {
    expect(read({ type: "text-delta", id: "t1" }).kind).toBe("unknown");
  });

  it.each(["", "not json", "[]", "3", "null", '{"v":1}'])("counts %j as unreadable", (data) => {
    expect(parseMessage("message", data).kind).toBe("unreadable");
  });

  it("reads caught-up whatever its data", () => {
    expect(parseMessage("caught-up", "{}")).toEqual({ kind: "caught-up" });
    expect(parseMessage("caught-up", "")).toEqual({ kind: "caught-up" });
  });

  it("reads a gap of one variation and of the whole run", () => {
    expect(parseMessage("gap", '{"reason":"purged","variation":0}')).toEqual({
      kind: "gap",
      reason: "purged",
      variation: 0,
    });
    expect(parseMessage("gap", "{}")).toMatchObject({ kind: "gap", variation: undefined });
  });

  it("reads end and a problem the server sent", () => {
    expect(parseMessage("end", '{"run_id":"r1","status":"finished"}')).toEqual({
      kind: "end",
      status: "finished",
    });
    expect(parseMessage("error", '{"status":404,"detail":"no such run"}')).toMatchObject({
      kind: "problem",
      problem: { detail: "no such run" },
    });
  });

  it("reads a state message with its summary", () => {
    const message = parseMessage(
      "state",
      JSON.stringify({
        v: 1,
        run: "r1",
        ts: 5,
        change: { type: "moved", variation: 0, attempt: 1, from: "queued", to: "scheduling" },
        summary: { status: "open", created: 1, variations: [{ state: "scheduling", attempt: 1 }] },
      }),
    );
    expect(message).toMatchObject({ kind: "state", message: { summary: { status: "open" } } });
  });
});
