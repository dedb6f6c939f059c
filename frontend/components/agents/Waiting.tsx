import type { VariationSummary } from "@/lib/run";

const widths = ["w-11/12", "w-full", "w-3/5"];
const words: Record<string, string> = {
  queued: "Waits for its turn.",
  scheduling: "Its process is being started.",
  starting: "Prepares the repository and the model.",
  running: "Waits for the first token.",
};

type Props = {
  summary?: VariationSummary;
  /** Why it waits is said elsewhere. */
  explained: boolean;
};

/** Nothing has arrived yet. */
export const Waiting = ({ summary, explained }: Props) => (
  <div className="flex flex-col gap-2">
    {!explained && (
      <p className="text-caption text-ink-soft">{words[summary?.state ?? ""] ?? "Waits."}</p>
    )}
    {widths.map((width) => (
      <div key={width} aria-hidden className={`shimmer h-3 rounded ${width}`} />
    ))}
  </div>
);
