"use client";

import { QueryClient, QueryClientProvider } from "@tanstack/react-query";
import { type ReactNode, useState } from "react";
import { Toaster } from "sonner";
import { TooltipProvider } from "@/components/ui/tooltip";
import { ApiError } from "@/lib/api";

/** What was refused once is refused again; only silence and overload are worth another try. */
const worthRetrying = (failures: number, error: Error) =>
  failures < 2 && (!(error instanceof ApiError) || error.status === 0 || error.status >= 500);

export function Providers({ children }: { children: ReactNode }) {
  const [client] = useState(
    () =>
      new QueryClient({ defaultOptions: { queries: { retry: worthRetrying, staleTime: 1000 } } }),
  );
  return (
    <QueryClientProvider client={client}>
      <TooltipProvider delayDuration={400}>{children}</TooltipProvider>
      <Toaster
        position="top-center"
        toastOptions={{
          classNames: { toast: "!bg-card !text-ink !border-line !text-small !font-sans" },
        }}
      />
    </QueryClientProvider>
  );
}
