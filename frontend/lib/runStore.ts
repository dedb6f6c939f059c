/** A run being followed: what came in is read and reduced in batches, on animation frames. */
import { type Connection, connecting, nextConnection, type Signal } from "./connection";
import { parseMessage, type StreamEventName } from "./events";
import { emptyRun, type RunState, reduce } from "./reduce";
import { openSource, type Source } from "./source";

export type Followed = { run: RunState; connection: Connection };
export const nothingYet: Followed = { run: emptyRun, connection: connecting };

/** A batch's share of the main thread; the rest of a long replay waits for the next one. */
const budgetMs = 12;
/** News are shown so far apart at least: an eye sees no difference, five cards halve their work. */
const betweenLiveMs = 45;
const betweenPastMs = 150;
/** A hidden page has no animation frames. */
const hiddenPageMs = 250;

/** Messages of the stream that say something of the line itself. */
const signals: Partial<Record<StreamEventName, Signal>> = {
  "caught-up": { type: "caught-up" },
  end: { type: "ended" },
};

type Waiting = { name: StreamEventName; data: string } | { signal: Signal };

export class RunStore {
  private followed = nothingYet;
  /** What the listeners have been told: a little behind `followed`. */
  private told = nothingYet;
  private toldAt = 0;
  private waiting: Waiting[] = [];
  private listeners = new Set<() => void>();
  private source?: Source;
  private frame = 0;
  private timer?: ReturnType<typeof setTimeout>;
  private readonly lastEventId = { current: "" };

  constructor(private readonly runId: string) {}

  get = (): Followed => this.told;

  subscribe = (listener: () => void): (() => void) => {
    this.listeners.add(listener);
    return () => this.listeners.delete(listener);
  };

  /** Opens the stream where it was left; what is shown stays. */
  start = (): (() => void) => {
    this.source?.close();
    this.push({ signal: { type: "connect" } });
    this.source = openSource(this.runId, this.lastEventId, {
      read: (name, data) => this.push({ name, data }),
      opened: () => this.push({ signal: { type: "opened" } }),
      dropped: (retryAt) => this.push({ signal: { type: "dropped", retryAt } }),
      ended: () => this.push({ signal: { type: "ended" } }),
      refused: (problem) => this.push({ signal: { type: "refused", problem } }),
    });
    return this.stop;
  };

  stop = (): void => {
    this.source?.close();
    this.unschedule();
  };

  private unschedule() {
    cancelAnimationFrame(this.frame);
    clearTimeout(this.timer);
    this.frame = 0;
    this.timer = undefined;
  }

  private push(item: Waiting) {
    this.waiting.push(item);
    if (this.frame === 0) this.schedule();
  }

  private schedule() {
    this.frame = requestAnimationFrame(this.flush);
    this.timer ??= setTimeout(this.flush, hiddenPageMs);
  }

  private flush = () => {
    this.unschedule();
    this.waiting = this.waiting.slice(this.take());
    const past = this.followed.connection.phase === "catching-up";
    const due = this.toldAt + (past ? betweenPastMs : betweenLiveMs) <= performance.now();
    if (due) this.tell();
    if (this.waiting.length > 0 || !due) this.schedule();
  };

  /** Reads what waits, in order, for as long as the budget lasts; says how much that was. */
  private take(): number {
    let { run, connection } = this.followed;
    const until = performance.now() + budgetMs;
    let taken = 0;
    for (const item of this.waiting) {
      taken += 1;
      if ("name" in item) run = reduce(run, parseMessage(item.name, item.data));
      const signal = "signal" in item ? item.signal : signals[item.name];
      if (signal) connection = nextConnection(connection, signal);
      if (taken % 64 === 0 && performance.now() > until) break;
    }
    const changed = run !== this.followed.run || connection !== this.followed.connection;
    if (changed) this.followed = { run, connection };
    return taken;
  }

  private tell() {
    this.toldAt = performance.now();
    if (this.told === this.followed) return;
    this.told = this.followed;
    for (const listener of this.listeners) listener();
  }
}
