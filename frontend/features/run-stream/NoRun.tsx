import Link from "next/link";
import { Button } from "@/components/ui/button";

/** The address names no run. */
export const NoRun = () => (
  <main className="mx-auto flex max-w-md flex-1 flex-col items-start gap-3 px-4 py-16">
    <h1 className="font-semibold text-h3">This address names no run</h1>
    <p className="text-ink-soft">
      A run's address ends in its id, like <code className="font-mono">/runs/my-run-1</code>. You
      find past runs on the first page.
    </p>
    <Button asChild look="primary">
      <Link href="/">To the first page</Link>
    </Button>
  </main>
);
