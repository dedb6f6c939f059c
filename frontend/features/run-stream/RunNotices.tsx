"use client";

import Link from "next/link";
import { Button } from "@/components/ui/button";
import { Notice } from "@/components/ui/notice";
import { useLater } from "@/hooks/useLater";
import type { Problem } from "@/lib/events";
import { plural, sentence } from "@/lib/format";
import type { Followed } from "@/lib/runStore";

type Props = { followed: Followed; onTryAgain: () => void };

/** What is wrong with the run as a whole, and what to try. */
export const RunNotices = ({ followed: { run, connection }, onTryAgain }: Props) => {
  const silent = useLater(connection.phase === "catching-up" && !run.summary);
  return (
    <>
      {silent && <Notice>Nothing is known of this run yet. It is waited for.</Notice>}
      {run.refused && (
        <Notice tone="bad">This run was refused. {sentence(run.refused.message)}</Notice>
      )}
      {connection.phase === "failed" && (
        <Notice tone="bad">
          <p>{sentence(problemOf(connection.problem))}</p>
          <div className="mt-2 flex gap-2">
            <Button size="sm" onClick={onTryAgain}>
              Try again
            </Button>
            <Button size="sm" asChild>
              <Link href="/">To the first page</Link>
            </Button>
          </div>
        </Notice>
      )}
      {run.gap && <Notice tone="wait">The stream told of a gap: {sentence(run.gap)}</Notice>}
      {run.unreadable > 0 && (
        <Notice tone="wait">{plural(run.unreadable, "message")} could not be read.</Notice>
      )}
    </>
  );
};

const problemOf = ({ detail, title }: Problem) => detail ?? title ?? "the stream was refused";
