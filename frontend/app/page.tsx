import { Suspense } from "react";
import { Composer } from "@/features/compose/Composer";
import { RecentRuns } from "@/features/recent/RecentRuns";

export default function HomePage() {
  return (
    <main className="mx-auto flex w-full max-w-4xl flex-1 flex-col gap-6 px-4 py-6 sm:py-8">
      <div>
        <h1 className="font-semibold text-h2 tracking-tight">Ask several agents at once</h1>
        <p className="mt-1 text-ink-soft">
          One prompt, one repository, one to five answers side by side, as they are written.
        </p>
      </div>
      <Suspense>
        <Composer />
      </Suspense>
      <RecentRuns />
    </main>
  );
}
