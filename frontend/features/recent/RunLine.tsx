import { Trophy } from "lucide-react";
import Link from "next/link";
import { StateBadge } from "@/components/agents/StateBadge";
import { streamPath } from "@/lib/address";
import { formatAgo, formatDuration, shortCommit, shortRepo } from "@/lib/format";
import type { RunRow } from "@/lib/run";
import { describeRun } from "@/lib/state";
import { VariationDots } from "./VariationDots";

type Props = { run: RunRow; now: number };

/** One run in two lines: what was asked, and what became of it. */
export const RunLine = ({ run, now }: Props) => {
  const pick = run.pick?.variation;
  const names = run.mode === "exec" ? ["command"] : run.variations.map((v) => v.model);
  const models = [...new Set(names.filter(Boolean))].join(", ");
  const took = run.finished == null ? undefined : formatDuration(run.finished - run.created);
  return (
    <li>
      <Link
        href={streamPath(run.run_id)}
        className="-outline-offset-2 flex flex-col gap-1 px-4 py-2.5 transition-colors hover:bg-raised"
      >
        <span className="flex items-center gap-3">
          <span className="min-w-0 flex-1 truncate font-medium">{run.prompt}</span>
          <VariationDots variations={run.variations} pick={pick} />
        </span>
        <span className="flex min-w-0 items-center gap-x-3 text-caption text-ink-soft">
          <StateBadge {...describeRun(run)} />
          {pick != null && (
            <span className="inline-flex items-center gap-1 whitespace-nowrap text-brand-ink">
              <Trophy aria-hidden className="size-3" />
              {pick + 1} picked
            </span>
          )}
          {run.repo && (
            <span className="min-w-0 truncate sm:max-w-[45%] sm:shrink-0">
              {shortRepo(run.repo)}
              {run.commit && <span className="font-mono"> @ {shortCommit(run.commit)}</span>}
            </span>
          )}
          <span className="hidden min-w-0 flex-1 truncate font-mono sm:inline">{models}</span>
          <span className="ml-auto whitespace-nowrap">
            {took && <span className="hidden sm:inline">took {took} · </span>}
            {formatAgo(run.created, now)}
          </span>
        </span>
      </Link>
    </li>
  );
};
