"use client";

import { useMutation, useQuery, useQueryClient } from "@tanstack/react-query";
import { useRouter } from "next/navigation";
import { useEffect, useRef, useState } from "react";
import { streamPath } from "@/lib/address";
import { createRun, getRun, type NewRun } from "@/lib/api";
import type { Info } from "@/lib/run";
import { rememberRepo } from "@/lib/storage";
import {
  type Draft,
  draftOf,
  emptyDraft,
  type Faults,
  faultsOf,
  isSound,
  requestOf,
} from "./draft";

const noFaults: Faults = { rows: {} };

/** The composer's state: the draft, what is wrong with it, and sending it. */
export function useCompose(info: Info | undefined, from: string | undefined) {
  const [draft, setDraft] = useState<Draft>(emptyDraft);
  const [tried, setTried] = useState(false);
  const router = useRouter();
  const client = useQueryClient();

  const past = useQuery({
    queryKey: ["run", from],
    queryFn: () => getRun(from ?? ""),
    enabled: from !== undefined,
  });
  const spec = past.data?.spec;
  useEffect(() => {
    if (spec) setDraft(draftOf(spec));
  }, [spec]);

  // The same request again, after an answer that was lost, carries the same key.
  const sent = useRef<{ body: string; key: string }>(undefined);
  const send = useMutation({
    mutationFn: (request: NewRun) => {
      const body = JSON.stringify(request);
      if (sent.current?.body !== body) sent.current = { body, key: newKey() };
      return createRun(request, sent.current.key);
    },
    onSuccess: ({ run_id }, request) => {
      sent.current = undefined;
      rememberRepo(request.repo ?? "");
      void client.invalidateQueries({ queryKey: ["runs"] });
      router.push(streamPath(run_id));
    },
  });

  const run = () => {
    setTried(true);
    if (send.isPending || !isSound(faultsOf(draft))) return;
    send.mutate(requestOf(draft, info));
  };
  const faults = tried ? faultsOf(draft) : noFaults;
  return { draft, setDraft, faults, run, pending: send.isPending, error: send.error };
}

function newKey(): string {
  const bytes = crypto.getRandomValues(new Uint8Array(16));
  return Array.from(bytes, (b) => b.toString(16).padStart(2, "0")).join("");
}
