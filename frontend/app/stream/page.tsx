"use client";

import { usePathname, useSearchParams } from "next/navigation";
import { Suspense } from "react";
import { NoRun } from "@/features/run-stream/NoRun";
import { RunView } from "@/features/run-stream/RunView";
import { runIdOf } from "@/lib/address";

/** Reads its own address: the edge serves this page for `/stream?run=…` and for `/runs/<id>`. */
function RunOfAddress() {
  const runId = runIdOf(usePathname(), useSearchParams());
  return runId ? <RunView key={runId} runId={runId} /> : <NoRun />;
}

export default function StreamPage() {
  return (
    <Suspense>
      <RunOfAddress />
    </Suspense>
  );
}
