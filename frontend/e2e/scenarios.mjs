/** Recorded runs for looking at the pages: what the edge would send, and when. */

const t0 = Date.now();

const lorem =
  "The workspace is split so that the contract crate holds only pure types, the bus is the one place that names the broker, and every service depends on both and on no other service. ".split(
    /(?<= )/,
  );

const answer = `## What this project does

It runs **one to five agents** in parallel on one prompt and one repository, and streams what they say side by side.

1. A request arrives on a subject and is checked.
2. The *submitter* opens an attempt and launches its process.
3. The agent publishes its text straight to the stream.

| part | keeps | talks to |
|---|---|---|
| \`submitter\` | the queue | agents |
| \`watcher\` | states | the projection |
| \`sse-edge\` | nothing | browsers |

\`\`\`rust
pub fn transition(previous: State, observed: Observed) -> Option<State> {
    match (previous, observed) {
        (State::Running, Observed::Exited(0)) => Some(State::Succeeded),
        _ => None,
    }
}
\`\`\`

See the [architecture](https://example.com/architecture) notes. A picture: ![diagram](https://example.com/d.png)
and some raw <b onclick="x()">HTML</b> that must stay text.

> States tell the truth: a variation always reaches a terminal state.

`;

const words = (text) => text.split(/(?<=\s)/);

/** Builds the events of one run; times are milliseconds from its beginning. */
class Recording {
  constructor(id, { prompt, models, mode = "analyze", source, created = t0 }) {
    Object.assign(this, {
      id,
      events: [],
      created,
      places: models.map(() => ({ attempt: 0, n: 0 })),
    });
    this.spec = {
      prompt,
      mode,
      source,
      deadline_s: 1800,
      variations: models.map((m) => (typeof m === "string" ? { model: m } : m)),
    };
    this.summary = {
      status: "open",
      request_sha256: "0",
      created,
      variations: this.spec.variations.map(({ model }) => ({
        state: "queued",
        attempt: 1,
        since: created,
        queued: 1,
        model,
      })),
    };
    this.state(0, { type: "accepted", spec: this.spec });
  }

  add(at, name, data) {
    this.events.push({ at, name, data });
    return this;
  }

  state(at, change) {
    return this.add(at, "state", {
      v: 1,
      run: this.id,
      ts: this.created + at,
      change,
      summary: structuredClone(this.summary),
    });
  }

  move(at, variation, to, more = {}) {
    const v = this.summary.variations[variation];
    const from = v.state;
    Object.assign(v, { state: to, since: this.created + at }, more);
    if (to === "running") v.started = this.created + at;
    const over = this.summary.variations.every((x) =>
      ["succeeded", "failed", "cancelled", "timed_out"].includes(x.state),
    );
    this.summary.status = over ? "finished" : "open";
    if (over) this.summary.finished = this.created + at;
    return this.state(at, { type: "moved", variation, attempt: v.attempt, from, to });
  }

  out(at, variation, fields) {
    const place = this.places[variation];
    if (fields.type === "start") {
      place.attempt += 1;
      place.n = 0;
    }
    const event = { v: 1, run: this.id, variation, attempt: place.attempt, n: place.n };
    place.n += 1;
    return this.add(at, "message", { ...event, ts: this.created + at, ...fields });
  }

  start(at, variation) {
    this.move(at, variation, "scheduling").move(at + 40, variation, "starting");
    this.out(at + 60, variation, {
      type: "start",
      process: `p${variation}`,
      model: this.spec.variations[variation].model,
    });
    return this.move(at + 80, variation, "running").out(at + 90, variation, { type: "start-step" });
  }

  say(at, variation, kind, id, text, everyMs) {
    this.out(at, variation, { type: `${kind}-start`, id });
    let t = at;
    for (const delta of words(text)) {
      t += everyMs;
      this.out(t, variation, { type: `${kind}-delta`, id, delta });
    }
    this.out(t, variation, { type: `${kind}-end`, id, text });
    return t;
  }

  usage(at, variation, output_tokens, more = {}) {
    return this.out(at, variation, {
      type: "data-usage",
      data: { source: "reported", input_tokens: 812, output_tokens, ttft_ms: 340, ...more },
    });
  }

  finish(at, variation) {
    this.out(at, variation, { type: "finish", finishReason: "stop" });
    return this.move(at + 20, variation, "succeeded");
  }

  sorted() {
    this.events.sort((a, b) => a.at - b.at);
    return this;
  }
}

const source = {
  repo: "https://github.com/octocat/Hello-World",
  ref: "main",
  commit: "7fd1a60b01f91b314f59955a4e4d4e80d8edf11d",
};

function tool(run, at, variation, id, toolName, input, output) {
  run.out(at, variation, { type: "tool-input-start", toolCallId: id, toolName });
  run.out(at + 30, variation, { type: "tool-input-available", toolCallId: id, toolName, input });
  if (output instanceof Error)
    return run.out(at + 300, variation, {
      type: "tool-output-error",
      toolCallId: id,
      errorText: output.message,
    });
  return run.out(at + 300, variation, { type: "tool-output-available", toolCallId: id, output });
}

/** Three answers, all done, the first one picked. */
function done() {
  const run = new Recording("done-three", {
    prompt: "What does this project do, and where should a newcomer start reading?",
    models: [
      { model: "openai/gpt-4o-mini", temperature: 0 },
      { model: "anthropic/claude-haiku", temperature: 0.7, instructions: "Be brief." },
      "local/smollm2-135m",
    ],
    source,
    created: t0 - 600_000,
  });
  for (const v of [0, 1, 2]) {
    run.start(100 + v * 30, v);
    const thought = run.say(500, v, "reasoning", "r1", "First the README, then the crates. ", 20);
    if (v === 1) {
      tool(run, thought + 10, v, "c1", "read", { path: "README.md" }, "# Hello-World\n");
      tool(
        run,
        thought + 320,
        v,
        "c2",
        "shell",
        { command: "cat x" },
        new Error("no such file: x"),
      );
    }
    const t = run.say(thought + 700, v, "text", "t1", v === 2 ? lorem.join("") : answer, 18);
    run.usage(t + 5, v, 240 + v, {
      tokens_per_second: 61.3 - v * 20,
      cost_usd: v === 2 ? 0 : 0.00031,
    });
    run.finish(t + 10, v);
  }
  run.sorted();
  const at = run.events.at(-1).at + 4000;
  run.summary.pick = { variation: 0, ts: run.created + at };
  return run.state(at, { type: "picked", variation: 0 });
}

/** Five at work: thinking, writing, failing, waiting in the queue. */
function live() {
  const run = new Recording("live-five", {
    prompt: "Compare the error handling of the services and propose one way for all of them.",
    models: [
      "openai/gpt-4o-mini",
      "anthropic/claude-haiku",
      "scripted/lorem?chunks=2000&rate=200&seed=7",
      "gemini/gemini-flash",
      "local/smollm2-135m",
    ],
    source,
  });
  const waits = (v) => ({ reason: { code: "waiting", message: `${v} other variations run.` } });
  run.start(100, 0).start(150, 1).start(200, 2).start(250, 3);
  run.move(260, 4, "queued", waits(4));
  run.say(400, 0, "text", "t1", answer.repeat(12), 40);
  const think = lorem.join("").repeat(2);
  const thought = run.say(500, 1, "reasoning", "r1", think, 35);
  tool(
    run,
    thought + 10,
    1,
    "c1",
    "grep",
    { pattern: "thiserror", path: "." },
    "agent/src/error.rs:3",
  );
  run.say(thought + 400, 1, "text", "t1", answer.repeat(8), 30);
  run.say(450, 2, "text", "t1", lorem.join("").repeat(60), 5);
  run.out(500, 3, { type: "log", level: "warn", message: "rate limited; trying again in 2 s" });
  run.say(700, 3, "text", "t1", "The services differ in ", 30);
  run.out(1000, 3, { type: "reset-step", reason: "the connection to the model was lost" });
  run.say(1100, 3, "text", "t1", "Each service has one error type.", 30);
  const message =
    "The provider's rate limit held after 5 tries. Try again later or pick another model.";
  run.out(1500, 3, { type: "error", code: "rate-limited", errorText: message });
  run.move(1520, 3, "failed", { reason: { code: "rate-limited", message } });
  return run.sorted();
}

/** An end with a gap, an unknown event, a retry, and a last word that never came. */
function holes() {
  const run = new Recording("with-holes", {
    prompt: "Find out why the build is slow.",
    models: ["local/smollm2-135m", "local/smollm2-135m"],
    created: t0 - 86_000_000,
  });
  run.start(100, 0);
  run.say(300, 0, "text", "t1", "The build is slow because ", 20);
  run.places[0].n += 12;
  run.say(900, 0, "text", "t2", "and that is all of it.", 20);
  run.out(1200, 0, { type: "text-hologram", depth: 3 });
  run.finish(1300, 0);
  run.start(100, 1);
  run.say(400, 1, "text", "t1", "I was about to ", 20);
  const vanished = {
    code: "vanished",
    message: "Its process is gone without a last word. Retry starts a new attempt.",
  };
  run.move(800, 1, "failed", { reason: vanished });
  run.summary.variations[1] = {
    ...run.summary.variations[1],
    attempt: 2,
    reason: undefined,
    end: undefined,
  };
  run.move(2000, 1, "queued");
  run.start(2100, 1);
  run.say(2400, 1, "text", "t1", "The linker takes most of it.", 20);
  run.finish(2700, 1);
  return run.sorted();
}

/** A command's output. */
function command() {
  const run = new Recording("a-command", {
    prompt: "cargo test --workspace 2>&1 | tail",
    models: ["exec"],
    mode: "exec",
    source: { repo: "/srv/projects/aideator" },
    created: t0 - 3_600_000,
  });
  run.start(50, 0);
  run.say(
    200,
    0,
    "text",
    "t1",
    "running 3 tests\n  * one ... ok\n  * two ... ok\n    three ... FAILED\n",
    5,
  );
  const reason = { code: "command-failed", message: "The command ended with exit code 101." };
  run.out(400, 0, { type: "error", code: reason.code, errorText: reason.message });
  run.move(420, 0, "failed", { reason });
  return run.sorted();
}

export const recordings = new Map([done(), live(), holes(), command()].map((run) => [run.id, run]));
