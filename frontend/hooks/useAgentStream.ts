"use client";

import { useEffect, useMemo, useSyncExternalStore } from "react";
import { nothingYet, RunStore } from "@/lib/runStore";

/** Follows one run, live or past, over one connection. `reopen` asks whether it has grown. */
export function useAgentStream(runId: string) {
  const store = useMemo(() => new RunStore(runId), [runId]);
  useEffect(() => store.start(), [store]);
  const followed = useSyncExternalStore(store.subscribe, store.get, () => nothingYet);
  return { ...followed, reopen: store.start };
}
