/** The HTTP API, typed. Same origin; every answer is checked; every failure is an `ApiError`. */
import type { z } from "zod";
import { type Problem, parseJson, problemSchema } from "./events";
import { sentence } from "./format";
import { createdSchema, infoSchema, runDetailSchema, runListSchema } from "./run";

const base = "/api/v1";
const runPath = (id: string) => `${base}/runs/${encodeURIComponent(id)}`;

export class ApiError extends Error {
  constructor(
    /** 0 when no answer came at all. */
    readonly status: number,
    readonly problem: Problem,
  ) {
    super(sentence(problem.detail ?? problem.title ?? "the server could not do this"));
    this.name = "ApiError";
  }
}

export type NewRun = {
  prompt: string;
  repo?: string;
  ref?: string;
  mode?: string;
  deadline_s?: number;
  variations?: { model?: string; temperature?: number; instructions?: string }[];
};

export const getInfo = () => get(`${base}/info`, infoSchema);
/** A page of runs, newest first; `before` is the `next` of the page before. */
export const listRuns = (limit: number, before?: string) => {
  const after = before ? `&before=${encodeURIComponent(before)}` : "";
  return get(`${base}/runs?limit=${limit}${after}`, runListSchema);
};
export const getRun = (id: string) => get(runPath(id), runDetailSchema);

/** The same key again is the same run: a repeated click or a lost answer starts nothing twice. */
export async function createRun(run: NewRun, idempotencyKey: string) {
  const headers = { "idempotency-key": idempotencyKey };
  return createdSchema.parse(await send("POST", `${base}/runs`, run, headers));
}

export const cancelRun = (id: string) => send("POST", `${runPath(id)}/cancel`, {});
export const cancelVariation = (id: string, variation: number) =>
  send("POST", `${runPath(id)}/variations/${variation}/cancel`, {});
export const retryVariation = (id: string, variation: number) =>
  send("POST", `${runPath(id)}/variations/${variation}/retry`, {});
export const pickVariation = (id: string, variation: number) =>
  send("POST", `${runPath(id)}/pick`, { variation });

export const logUrl = (id: string) => `${runPath(id)}/log`;

export function streamUrl(id: string, lastEventId: string): string {
  const after = lastEventId ? `?last_event_id=${encodeURIComponent(lastEventId)}` : "";
  return `${runPath(id)}/stream${after}`;
}

async function get<S extends z.ZodType>(url: string, schema: S): Promise<z.output<S>> {
  const read = schema.safeParse(await send("GET", url));
  if (read.success) return read.data;
  throw new ApiError(200, { title: "The server's answer could not be read." });
}

async function send(
  method: string,
  url: string,
  body?: unknown,
  headers: Record<string, string> = {},
): Promise<unknown> {
  const json: Record<string, string> =
    body === undefined ? {} : { "content-type": "application/json" };
  const response = await fetch(url, {
    method,
    headers: { accept: "application/json", ...json, ...headers },
    body: body === undefined ? undefined : JSON.stringify(body),
  }).catch(() => {
    throw new ApiError(0, { title: "AIdeator does not answer. Is `aideator up` running?" });
  });
  const answer = parseJson(await response.text());
  if (response.ok) return answer;
  throw new ApiError(response.status, readProblem(answer, response.status));
}

/** A problem document, or what can be said without one. */
export function readProblem(answer: unknown, status: number): Problem {
  const problem = problemSchema.safeParse(answer);
  return problem.success ? problem.data : { status, title: `The server answered ${status}.` };
}
