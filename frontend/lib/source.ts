/**
 * One run's stream over native `EventSource`, which resumes by itself with `Last-Event-ID`.
 * Only when the browser has given up (any answer but 200) is the reason asked for here.
 */
import { readProblem, streamUrl } from "./api";
import { retryDelay } from "./connection";
import { type Problem, parseJson, type StreamEventName, streamEventNames } from "./events";

export type SourceSink = {
  /** Messages as they came; `read` is called in order. */
  read(name: StreamEventName, data: string): void;
  opened(): void;
  dropped(retryAt?: number): void;
  ended(): void;
  refused(problem: Problem): void;
};

export type Source = { close(): void };

/** Follows the run from `lastEventId.current`, which it keeps up to date. */
export function openSource(
  runId: string,
  lastEventId: { current: string },
  sink: SourceSink,
): Source {
  let events: EventSource | undefined;
  let timer: ReturnType<typeof setTimeout> | undefined;
  let failures = 0;
  let closed = false;

  const connect = () => {
    events = new EventSource(streamUrl(runId, lastEventId.current));
    events.onopen = () => sink.opened();
    for (const name of streamEventNames) events.addEventListener(name, onEvent(name));
  };

  const onEvent = (name: StreamEventName) => (event: Event) => {
    if (closed) return;
    if (!(event instanceof MessageEvent)) return onLost();
    failures = 0;
    if (event.lastEventId) lastEventId.current = event.lastEventId;
    sink.read(name, String(event.data));
    if (name === "end") close();
    if (name === "error") onProblem(parseJson(String(event.data)));
  };

  /** What the server itself said: a lasting refusal ends the stream, anything else is retried. */
  const onProblem = (answer: unknown) => {
    const problem = readProblem(answer, 0);
    if ((problem.status ?? 500) >= 500) return;
    close();
    sink.refused(problem);
  };

  const onLost = () => {
    if (events?.readyState !== EventSource.CLOSED) return sink.dropped();
    void askWhy(runId, lastEventId.current).then((why) => {
      if (closed) return;
      if (why === "nothing-more") return sink.ended();
      if (why !== "try-again") return sink.refused(why);
      failures += 1;
      const delay = retryDelay(failures);
      sink.dropped(Date.now() + delay);
      timer = setTimeout(connect, delay);
    });
  };

  const close = () => {
    closed = true;
    clearTimeout(timer);
    events?.close();
  };

  connect();
  return { close };
}

/** `EventSource` tells no status: the same question by `fetch` does. */
async function askWhy(
  runId: string,
  lastEventId: string,
): Promise<"nothing-more" | "try-again" | Problem> {
  const stop = new AbortController();
  try {
    const answer = await fetch(streamUrl(runId, lastEventId), { signal: stop.signal });
    if (answer.status === 204) return "nothing-more";
    if (answer.ok || answer.status >= 500 || answer.status === 429) return "try-again";
    return readProblem(parseJson(await answer.text()), answer.status);
  } catch {
    return "try-again";
  } finally {
    stop.abort();
  }
}
