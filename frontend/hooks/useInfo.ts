"use client";

import { useQuery } from "@tanstack/react-query";
import { getInfo } from "@/lib/api";

/** What this installation offers: models, modes, limits. */
export const useInfo = () =>
  useQuery({ queryKey: ["info"], queryFn: getInfo, staleTime: 30_000, refetchOnWindowFocus: true });
