"use client";

import { useMutation, useQueryClient } from "@tanstack/react-query";
import { useCallback, useMemo } from "react";
import { toast } from "sonner";
import type { CardActions } from "@/components/agents/card";
import { numberOf } from "@/lib/agents";
import * as api from "@/lib/api";
import { runKey } from "./useRunDetail";

/** A command is taken now and done soon: look again after this long. */
const lookAgainMs = [300, 1000, 2500];

type Command = { does: () => Promise<unknown>; said: string };

/** What a person can tell a run; each answers with a word, or with why not. */
export function useCommands(runId: string, focus: CardActions["focus"]) {
  const client = useQueryClient();
  const { mutate } = useMutation({
    mutationFn: ({ does }: Command) => does(),
    onSuccess: (_, { said }) => {
      toast.success(said);
      for (const ms of lookAgainMs) {
        setTimeout(() => void client.invalidateQueries({ queryKey: runKey(runId) }), ms);
      }
    },
    onError: (error) => toast.error(error.message),
  });

  const actions = useMemo<CardActions>(
    () => ({
      focus,
      cancel: (v) =>
        mutate({
          does: () => api.cancelVariation(runId, v),
          said: `Variation ${numberOf(v)} is being stopped.`,
        }),
      retry: (v) =>
        mutate({
          does: () => api.retryVariation(runId, v),
          said: `Variation ${numberOf(v)} is tried again.`,
        }),
      pick: (v) =>
        mutate({ does: () => api.pickVariation(runId, v), said: `You picked ${numberOf(v)}.` }),
    }),
    [runId, focus, mutate],
  );

  const stop = useCallback(
    () => mutate({ does: () => api.cancelRun(runId), said: "The run is being stopped." }),
    [runId, mutate],
  );
  return { actions, stop };
}
