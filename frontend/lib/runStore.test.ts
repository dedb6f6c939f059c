import { afterEach, beforeEach, describe, expect, it, vi } from "vitest";
import { FakeEventSource } from "./fakeEventSource";
import { answerOf } from "./parts";
import { RunStore } from "./runStore";

const answer = vi.fn<() => Promise<Response>>();

beforeEach(() => {
  vi.useFakeTimers();
  FakeEventSource.made = [];
  vi.stubGlobal("EventSource", FakeEventSource);
  vi.stubGlobal("fetch", answer);
  vi.stubGlobal("requestAnimationFrame", (f: () => void) => setTimeout(f, 16));
  vi.stubGlobal("cancelAnimationFrame", clearTimeout);
});

afterEach(() => {
  vi.useRealTimers();
  vi.unstubAllGlobals();
  answer.mockReset();
});

const events = [
  { type: "start", process: "p", model: "m" },
  ...["a", "b", "c", "d"].map((delta) => ({ type: "text-delta", id: "t", delta })),
].map((event, n) => ({ v: 1, run: "r", variation: 0, attempt: 1, n, ts: n, ...event }));

const say = (...ns: number[]) => {
  for (const n of ns) FakeEventSource.last.say("message", events[n], `at-${n}`);
};
const shown = (store: RunStore) => answerOf(store.get().run.variations[0]?.attempts.at(-1));
const phase = (store: RunStore) => store.get().connection.phase;
const settle = () => vi.advanceTimersByTimeAsync(300);

function started() {
  const store = new RunStore("r");
  store.start();
  FakeEventSource.last.open();
  return store;
}

describe("RunStore", () => {
  it("is live once it has caught up, and tells in batches", async () => {
    const store = started();
    const told = vi.fn();
    store.subscribe(told);
    say(0, 1, 2);
    FakeEventSource.last.say("caught-up", {});
    await settle();
    expect(phase(store)).toBe("live");
    expect(shown(store)).toBe("ab");
    expect(told.mock.calls.length).toBeLessThan(3);
  });

  it("leaves resuming to the browser, and shows an overlap once", async () => {
    const store = started();
    say(0, 1, 2);
    FakeEventSource.last.drop();
    await settle();
    expect(phase(store)).toBe("reconnecting");
    FakeEventSource.last.open();
    say(1, 2, 3, 4);
    await settle();
    expect(shown(store)).toBe("abcd");
    expect(FakeEventSource.made).toHaveLength(1);
  });

  it("ends with the stream and closes it", async () => {
    const store = started();
    say(0, 1);
    FakeEventSource.last.say("end", { status: "finished" }, "at-end");
    await settle();
    expect(phase(store)).toBe("ended");
    expect(FakeEventSource.last.readyState).toBe(FakeEventSource.CLOSED);
  });

  it("opens again where it stood", async () => {
    const store = started();
    say(0, 1);
    FakeEventSource.last.say("end", { status: "finished" }, "at/end");
    await settle();
    store.start();
    expect(FakeEventSource.last.url).toBe("/api/v1/runs/r/stream?last_event_id=at%2Fend");
    FakeEventSource.last.open();
    say(2);
    await settle();
    expect(phase(store)).toBe("catching-up");
    expect(shown(store)).toBe("ab");
  });

  it("takes a 204 for the end", async () => {
    const store = started();
    answer.mockResolvedValue(new Response(null, { status: 204 }));
    FakeEventSource.last.giveUp();
    await settle();
    expect(phase(store)).toBe("ended");
  });

  it("asks again, later and later, while the server is in trouble", async () => {
    const store = started();
    say(0, 1);
    answer.mockResolvedValue(new Response("", { status: 503 }));
    FakeEventSource.last.giveUp();
    await settle();
    expect(store.get().connection).toMatchObject({ phase: "reconnecting" });
    expect(store.get().connection).toHaveProperty("retryAt");
    await vi.advanceTimersByTimeAsync(1000);
    expect(FakeEventSource.made).toHaveLength(2);
    expect(FakeEventSource.last.url).toContain("last_event_id=at-1");
  });

  it("says why a run can't be followed, and stops", async () => {
    const store = started();
    const body = JSON.stringify({ title: "Not found", detail: "There is no run r." });
    answer.mockResolvedValue(new Response(body, { status: 404 }));
    FakeEventSource.last.giveUp();
    await settle();
    expect(store.get().connection).toMatchObject({
      phase: "failed",
      problem: { detail: "There is no run r." },
    });
  });

  it("tells an error the server sent from a line that dropped", async () => {
    const store = started();
    FakeEventSource.last.say("error", { status: 503, detail: "going away" });
    await settle();
    expect(phase(store)).toBe("catching-up");
    FakeEventSource.last.say("error", { status: 404, detail: "no such run" });
    await settle();
    expect(phase(store)).toBe("failed");
    expect(FakeEventSource.last.readyState).toBe(FakeEventSource.CLOSED);
  });

  it("hears nothing of a stream it has closed", async () => {
    const store = started();
    const old = FakeEventSource.last;
    store.start();
    old.drop();
    old.say("message", events[0]);
    await settle();
    expect(phase(store)).toBe("catching-up");
    expect(store.get().run.variations).toHaveLength(0);
  });
});
