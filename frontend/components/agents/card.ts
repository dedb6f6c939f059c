import type { Attempt } from "@/lib/parts";
import type { Variation } from "@/lib/reduce";
import type { VariationSummary } from "@/lib/run";

/** What a card shows; every field keeps its identity until it changes. */
export type CardModel = {
  variation: Variation;
  summary?: VariationSummary;
  attempt?: Attempt;
  model: string;
  /** What sets it apart from its sisters, in words. */
  traits?: string;
  /** Place in the queue, from 1. */
  position?: number;
  active: boolean;
  picked: boolean;
  /** Command output is not markdown. */
  plain: boolean;
};

/** What a person can do with a card. */
export type CardActions = {
  focus: (index: number | undefined) => void;
  cancel: (index: number) => void;
  retry: (index: number) => void;
  pick: (index: number) => void;
};
