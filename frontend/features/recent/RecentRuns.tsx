"use client";

import { useInfiniteQuery } from "@tanstack/react-query";
import { Button } from "@/components/ui/button";
import { Notice } from "@/components/ui/notice";
import { Words } from "@/components/ui/words";
import { useNow } from "@/hooks/useNow";
import { listRuns } from "@/lib/api";
import { RunLine } from "./RunLine";

const whileOpenMs = 2000;
const otherwiseMs = 10_000;
const pageSize = 20;

/** The newest runs, kept up to date while the page is looked at. */
export const RecentRuns = () => {
  const { data, error, isPending, hasNextPage, isFetchingNextPage, fetchNextPage } =
    useInfiniteQuery({
      queryKey: ["runs"],
      queryFn: ({ pageParam }) => listRuns(pageSize, pageParam),
      initialPageParam: undefined as string | undefined,
      getNextPageParam: (last) => last.next ?? undefined,
      refetchInterval: ({ state }) =>
        state.data?.pages.some((page) => page.runs.some((run) => run.status === "open"))
          ? whileOpenMs
          : otherwiseMs,
    });
  const runs = data?.pages.flatMap((page) => page.runs);
  const now = useNow(true, 10_000);
  return (
    <section aria-labelledby="recent" className="flex flex-col gap-2">
      <h2 id="recent" className="font-semibold text-body">
        Recent runs
      </h2>
      {error && (
        <Notice tone="wait">
          <Words text={error.message} />
        </Notice>
      )}
      {isPending && !error && <div aria-hidden className="shimmer h-14 rounded-lg" />}
      {runs?.length === 0 && (
        <p className="rounded-lg border border-dashed px-4 py-8 text-center text-ink-soft">
          No runs yet. Ask something above, or from a terminal:{" "}
          <code className="font-mono text-ink">aideator run "What does this project do?"</code>
        </p>
      )}
      {runs && runs.length > 0 && (
        <ul className="divide-y overflow-hidden rounded-xl border bg-card">
          {runs.map((run) => (
            <RunLine key={run.run_id} run={run} now={now} />
          ))}
        </ul>
      )}
      {hasNextPage && (
        <Button
          look="ghost"
          className="self-center"
          disabled={isFetchingNextPage}
          onClick={() => fetchNextPage()}
        >
          Show more
        </Button>
      )}
    </section>
  );
};
