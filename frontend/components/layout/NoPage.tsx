import Link from "next/link";
import { Button } from "@/components/ui/button";

export const NoPage = () => (
  <main className="mx-auto flex max-w-md flex-1 flex-col items-start gap-3 px-4 py-16">
    <h1 className="font-semibold text-h3">There is no such page</h1>
    <Button asChild look="primary">
      <Link href="/">To the first page</Link>
    </Button>
  </main>
);
