/** The shapes of a run as the HTTP API and the state log give them. */

import { usageSchema } from "./usage";
import { z } from "./zod";

export const variationStates = [
  "queued",
  "scheduling",
  "starting",
  "running",
  "cancelling",
  "succeeded",
  "failed",
  "cancelled",
  "timed_out",
] as const;
/** A state this page does not know is shown by its own name. */
const variationStateSchema = z.string();

const reasonSchema = z.looseObject({ code: z.string().optional(), message: z.string() });
export type Reason = z.infer<typeof reasonSchema>;

const pickSchema = z.looseObject({
  variation: z.int().min(0),
  reason: z.string().nullish(),
  ts: z.number().nullish(),
});

/** When each step of an attempt's beginning was done; what is not known is absent. */
const startupSchema = z.looseObject({
  admitted: z.number().nullish(),
  scheduled: z.number().nullish(),
  pulled: z.number().nullish(),
  ready: z.number().nullish(),
  cloned: z.number().nullish(),
  first_token: z.number().nullish(),
});
export type Startup = z.infer<typeof startupSchema>;

const variationSummarySchema = z.looseObject({
  state: variationStateSchema,
  attempt: z.int().nullish(),
  reason: reasonSchema.nullish(),
  /** When it came into this state: for a state that is an end, when it ended. */
  since: z.number().nullish(),
  /** When its agent began to work. */
  started: z.number().nullish(),
  startup: startupSchema.nullish(),
  model: z.string().nullish(),
  usage: usageSchema.nullish(),
});
export type VariationSummary = z.infer<typeof variationSummarySchema>;

export const summarySchema = z.looseObject({
  status: z.string(),
  created: z.number().nullish(),
  finished: z.number().nullish(),
  variations: z.array(variationSummarySchema).default([]),
  pick: pickSchema.nullish(),
});
export type Summary = z.infer<typeof summarySchema>;

const variationSpecSchema = z.looseObject({
  model: z.string().nullish(),
  temperature: z.number().nullish(),
  instructions: z.string().nullish(),
});

/** A repository at one commit; the commit is absent until the submitter has resolved it. */
const sourceSchema = z.looseObject({
  repo: z.string(),
  ref: z.string().nullish(),
  commit: z.string().nullish(),
});

export const specSchema = z.looseObject({
  prompt: z.string().default(""),
  source: sourceSchema.nullish(),
  mode: z.string().nullish(),
  deadline_s: z.number().nullish(),
  requester: z.string().nullish(),
  variations: z.array(variationSpecSchema).default([]),
});
export type RunSpec = z.infer<typeof specSchema>;

/** One message of the run's state log; every one carries the whole summary. */
export const stateMessageSchema = z.looseObject({
  run: z.string().optional(),
  ts: z.number().optional(),
  change: z.looseObject({
    type: z.string(),
    spec: specSchema.optional(),
    error: reasonSchema.optional(),
  }),
  summary: summarySchema,
});
export type StateMessage = z.infer<typeof stateMessageSchema>;

export const runRowSchema = z.looseObject({
  run_id: z.string(),
  created: z.number(),
  finished: z.number().nullish(),
  status: z.string(),
  prompt: z.string(),
  repo: z.string().nullish(),
  commit: z.string().nullish(),
  mode: z.string().nullish(),
  variations: z.array(variationSummarySchema).default([]),
  pick: pickSchema.nullish(),
});
export type RunRow = z.infer<typeof runRowSchema>;

export const runListSchema = z.looseObject({
  runs: z.array(runRowSchema),
  next: z.string().nullish(),
});

export const runDetailSchema = z.looseObject({
  run_id: z.string(),
  spec: specSchema.nullish(),
  summary: summarySchema,
  queue: z.array(z.looseObject({ variation: z.int(), position: z.int() })).default([]),
});
export type RunDetail = z.infer<typeof runDetailSchema>;

export const infoSchema = z.looseObject({
  version: z.string(),
  default_model: z.string().nullish(),
  /** Names, or beginnings that end in `*`; none named means that any may be asked for. */
  models: z.array(z.string()).default([]),
  /** What people should know of the default model before they judge its answers. */
  note: z.string().nullish(),
  local: z.boolean().default(false),
  allow_exec: z.boolean().default(false),
  max_variations: z.int().min(1).max(5).default(5),
});
export type Info = z.infer<typeof infoSchema>;

export const createdSchema = z.looseObject({
  run_id: z.string(),
  stream_url: z.string().nullish(),
  url: z.string().nullish(),
});
