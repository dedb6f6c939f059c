/** Serves `out/` the way the edge does, and plays the recordings. For looking, not for production. */
import { createHash } from "node:crypto";
import { readFile } from "node:fs/promises";
import { createServer } from "node:http";
import { extname, join, normalize } from "node:path";
import { recordings } from "./scenarios.mjs";

const out = join(import.meta.dirname, "..", "out");
const types = {
  ".html": "text/html; charset=utf-8",
  ".js": "text/javascript",
  ".css": "text/css",
  ".txt": "text/x-component",
  ".svg": "image/svg+xml",
  ".woff2": "font/woff2",
  ".json": "application/json",
};

const info = {
  version: "0.1.0",
  default_model: "local/smollm2-135m",
  models: ["local/smollm2-135m", "openai/gpt-4o-mini", "anthropic/claude-haiku", "scripted/lorem"],
  note: "SmolLM2 has 135 million parameters: quick, offline, and often wrong.",
  local: true,
  allow_exec: true,
  max_variations: 5,
};

/** Starts it on a free port, with so many `older` runs in the list. `drop()` cuts every open stream, as a restart of the edge would. */
export async function serve({ port = 0, older = 0 } = {}) {
  const began = Date.now();
  const open = new Set();
  const asked = [];
  const server = createServer((request, response) => {
    const url = new URL(request.url ?? "/", "http://x");
    const after = request.headers["last-event-id"];
    asked.push({ method: request.method, path: url.pathname, search: url.search, after });
    route(url, request, response, { began, open, older }).catch((error) => {
      console.error(error);
      response.destroy();
    });
  });
  await new Promise((done) => server.listen(port, "127.0.0.1", done));
  const drop = () => {
    for (const stream of open) stream.destroy();
  };
  const close = () => {
    drop();
    server.closeAllConnections();
    server.close();
  };
  return { url: `http://127.0.0.1:${server.address().port}`, asked, open, drop, close };
}

async function route(url, request, response, stage) {
  const [, kind, id, what] =
    /^\/api\/v1\/(info|runs)(?:\/([^/]+))?(?:\/(.+))?$/.exec(url.pathname) ?? [];
  if (kind === "info") return json(response, 200, info);
  if (kind === "runs" && !id)
    return request.method === "POST" ? create(request, response) : list(url, response, stage);
  if (kind === "runs") {
    const run = recordings.get(id);
    if (!run)
      return json(response, 404, {
        title: "Not found",
        status: 404,
        detail: `There is no run ${id}.`,
      });
    if (what === "stream") return stream(run, url, request, response, stage);
    if (request.method === "POST") return command(run, what, request, response);
    return json(response, 200, detail(run, stage));
  }
  return file(url.pathname, response);
}

async function file(path, response) {
  const page = path.startsWith("/runs/") ? "/stream.html" : path === "/" ? "/index.html" : path;
  for (const name of [page, `${page}.html`]) {
    const body = await readFile(join(out, normalize(name))).catch(() => undefined);
    if (!body) continue;
    const type = types[extname(name)] ?? "application/octet-stream";
    const policy = type.includes("html") ? { "content-security-policy": policyOf(body) } : {};
    response.writeHead(200, { "content-type": type, ...policy });
    return response.end(body);
  }
  response.writeHead(404, { "content-type": types[".html"] });
  response.end(await readFile(join(out, "404.html")));
}

/** As strict as the edge's: of the scripts inside a page only those it was built with. */
function policyOf(page) {
  const inside = [...page.toString().matchAll(/<script(?![^>]* src=)[^>]*>([^<]+)<\/script/g)];
  const hashes = inside.map(
    ([, s]) => `'sha256-${createHash("sha256").update(s).digest("base64")}'`,
  );
  return `default-src 'none'; script-src 'self' ${hashes.join(" ")}; style-src 'self' 'unsafe-inline'; img-src 'self' data:; font-src 'self'; connect-src 'self'; base-uri 'none'; form-action 'self'; frame-ancestors 'none'`;
}

/** Old runs are over; a young one is as far as its time. */
const playedTo = (run, { began }) =>
  run.id === "live-five" ? Date.now() - began : Number.POSITIVE_INFINITY;

function detail(run, stage) {
  const states = run.events.filter((e) => e.name === "state" && e.at <= playedTo(run, stage));
  const { summary } = states.at(-1).data;
  const queue = summary.variations.flatMap((v, variation) =>
    v.state === "queued" ? [{ variation, position: 3 }] : [],
  );
  return { run_id: run.id, spec: run.spec, summary, queue };
}

function list(url, response, stage) {
  const limit = Number(url.searchParams.get("limit") ?? 50);
  if (limit > 200)
    return json(response, 400, { title: "Bad request", status: 400, detail: "limit is 1 to 200" });
  const rows = [...recordings.values()].map((run) => rowOf(run, stage));
  const [first] = rows;
  for (let n = 1; n <= stage.older; n += 1)
    rows.push({ ...first, run_id: `older-${n}`, created: first.created - n * 86_400_000 });
  rows.sort((a, b) => b.created - a.created);
  const begin = rows.findIndex((row) => row.run_id === url.searchParams.get("before")) + 1;
  const runs = rows.slice(begin, begin + limit);
  const more = begin + limit < rows.length;
  return json(response, 200, { runs, ...(more && { next: runs.at(-1).run_id }) });
}

function rowOf(run, stage) {
  const { summary, spec } = detail(run, stage);
  return {
    run_id: run.id,
    created: run.created,
    finished: summary.finished,
    status: summary.status,
    prompt: spec.prompt.slice(0, 200),
    repo: spec.source?.repo,
    commit: spec.source?.commit,
    mode: spec.mode,
    variations: summary.variations,
    pick: summary.pick,
  };
}

async function create(request, response) {
  const body = JSON.parse(await text(request));
  if (body.prompt.includes("refuse"))
    return json(response, 422, {
      title: "Refused",
      status: 422,
      detail: "no model of that name here",
    });
  return json(response, 201, { run_id: "done-three", url: "/runs/done-three" });
}

async function command(run, what, request, response) {
  const body = await text(request);
  if (what === "pick") {
    const { variation } = JSON.parse(body);
    const last = run.events.at(-1);
    run.summary.pick = { variation, ts: Date.now() };
    run.state(last.at + 1, { type: "picked", variation });
  }
  return json(response, 202, {});
}

async function text(request) {
  const pieces = [];
  for await (const piece of request) pieces.push(piece);
  return Buffer.concat(pieces).toString();
}

function json(response, status, body) {
  const type = status < 400 ? "application/json" : "application/problem+json";
  response.writeHead(status, { "content-type": type });
  response.end(JSON.stringify(body));
}

/** The stored past at once, then what comes at its time; a position is an index here. */
function stream(run, url, request, response, stage) {
  const from = request.headers["last-event-id"] ?? url.searchParams.get("last_event_id");
  let next = from == null ? 0 : Number(from) + 1;
  const finished = () =>
    run.summary.status === "finished" && playedTo(run, stage) === Number.POSITIVE_INFINITY;
  if (finished() && next >= run.events.length) {
    response.writeHead(204);
    return response.end();
  }
  response.writeHead(200, {
    "content-type": "text/event-stream",
    "cache-control": "no-cache, no-transform",
  });
  response.write("retry: 500\n\n");
  stage.open.add(response);
  let live = false;
  const tick = () => {
    const due = playedTo(run, stage);
    let frames = "";
    for (; next < run.events.length && run.events[next].at <= due; next += 1)
      frames += frame(run.events[next].name, next, run.events[next].data);
    if (!live) frames += frame("caught-up", next - 1, {});
    live = true;
    if (frames) response.write(frames);
    if (!finished()) return;
    response.end(frame("end", next - 1, { run_id: run.id, status: "finished" }));
    clearInterval(timer);
  };
  const timer = setInterval(tick, 25);
  response.on("close", () => {
    clearInterval(timer);
    stage.open.delete(response);
  });
  tick();
}

function frame(name, id, data) {
  const event = name === "message" ? "" : `event: ${name}\n`;
  return `${event}id: ${id}\ndata: ${JSON.stringify(data)}\n\n`;
}

if (process.argv[1] === import.meta.filename) {
  const { url } = await serve({ port: Number(process.argv[2] ?? 0) });
  console.log(url);
}
