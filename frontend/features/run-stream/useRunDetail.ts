"use client";

import { useQuery } from "@tanstack/react-query";
import { useEffect, useRef } from "react";
import { getRun } from "@/lib/api";
import type { Followed } from "@/lib/runStore";
import { hasGrown } from "./cards";

const whileQueuedMs = 2000;
const afterEndMs = 5000;

export const runKey = (runId: string) => ["run", runId] as const;

/**
 * What the stream does not say: places in the queue while somebody waits; after the end, whether
 * the run has grown (a retry, another pick), and then the stream is opened again where it stood.
 */
export function useRunDetail(runId: string, { run, connection }: Followed, reopen: () => void) {
  const queued = run.summary?.variations.some((v) => v.state === "queued") ?? false;
  const ended = connection.phase === "ended";
  const detail = useQuery({
    queryKey: runKey(runId),
    queryFn: () => getRun(runId),
    enabled: queued || ended,
    refetchInterval: ended ? afterEndMs : queued ? whileQueuedMs : false,
  });

  const seen = useRef(0);
  useEffect(() => {
    if (!ended || !detail.data || seen.current === detail.dataUpdatedAt) return;
    seen.current = detail.dataUpdatedAt;
    if (hasGrown(run.summary, detail.data.summary)) reopen();
  }, [ended, detail.data, detail.dataUpdatedAt, run.summary, reopen]);

  return detail.data;
}
