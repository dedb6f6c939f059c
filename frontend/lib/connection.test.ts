import { describe, expect, it } from "vitest";
import { connecting, nextConnection, retryDelay, type Signal } from "./connection";

const given = (...signals: Signal[]) => signals.reduce(nextConnection, connecting);

describe("nextConnection", () => {
  it("goes from connecting over catching up to live", () => {
    expect(given({ type: "opened" }).phase).toBe("catching-up");
    expect(given({ type: "opened" }, { type: "caught-up" }).phase).toBe("live");
  });

  it("is not live before it has caught up again", () => {
    const back = given({ type: "opened" }, { type: "caught-up" }, { type: "dropped" });
    expect(back.phase).toBe("reconnecting");
    expect(nextConnection(back, { type: "caught-up" }).phase).toBe("reconnecting");
    expect(nextConnection(back, { type: "opened" }).phase).toBe("catching-up");
  });

  it("stays ended when the line drops afterwards", () => {
    expect(given({ type: "ended" }, { type: "dropped" }, { type: "opened" }).phase).toBe("ended");
  });

  it("starts over when asked to", () => {
    expect(given({ type: "ended" }, { type: "connect" })).toEqual(connecting);
    const refused: Signal = { type: "refused", problem: { status: 404 } };
    expect(given(refused).phase).toBe("failed");
    expect(given(refused, { type: "connect" })).toEqual(connecting);
  });

  it("waits longer each time, and never longer than 15 s", () => {
    expect([1, 2, 3, 4, 5, 50].map(retryDelay)).toEqual([1000, 2000, 4000, 8000, 15000, 15000]);
  });
});
