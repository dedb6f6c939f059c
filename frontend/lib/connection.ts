/** What the line to the edge is doing, as shown to the person: a pure function of what happened. */
import type { Problem } from "./events";

export type Connection =
  | { phase: "connecting" }
  | { phase: "catching-up" }
  | { phase: "live" }
  /** `retryAt` is known when the wait is ours; the browser keeps its own to itself. */
  | { phase: "reconnecting"; retryAt?: number }
  | { phase: "ended" }
  | { phase: "failed"; problem: Problem };

export type Signal =
  | { type: "connect" }
  | { type: "opened" }
  | { type: "caught-up" }
  | { type: "dropped"; retryAt?: number }
  | { type: "ended" }
  | { type: "refused"; problem: Problem };

export const connecting: Connection = { phase: "connecting" };

export function nextConnection(now: Connection, signal: Signal): Connection {
  const over = now.phase === "ended" || now.phase === "failed";
  switch (signal.type) {
    case "connect":
      return over ? connecting : now;
    case "opened":
      return over ? now : { phase: "catching-up" };
    case "caught-up":
      return now.phase === "catching-up" ? { phase: "live" } : now;
    case "dropped":
      return over ? now : { phase: "reconnecting", retryAt: signal.retryAt };
    case "ended":
      return { phase: "ended" };
    case "refused":
      return { phase: "failed", problem: signal.problem };
  }
}

/** 1, 2, 4, 8, then every 15 seconds. */
export const retryDelay = (failures: number): number =>
  Math.min(15_000, 1000 * 2 ** Math.max(0, failures - 1));
