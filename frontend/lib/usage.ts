import { z } from "./zod";

/** What an attempt used. `estimated` figures are marked wherever they are shown. */
export const usageSchema = z.looseObject({
  source: z.enum(["reported", "estimated"]).catch("estimated"),
  input_tokens: z.number().nullish(),
  output_tokens: z.number().nullish(),
  cached_tokens: z.number().nullish(),
  reasoning_tokens: z.number().nullish(),
  ttft_ms: z.number().nullish(),
  tokens_per_second: z.number().nullish(),
  cost_usd: z.number().nullish(),
});
export type Usage = z.infer<typeof usageSchema>;
