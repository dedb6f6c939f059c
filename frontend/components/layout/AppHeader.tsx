import { Plus } from "lucide-react";
import Link from "next/link";
import { Button } from "@/components/ui/button";
import { Logo } from "./Logo";
import { ThemeMenu } from "./ThemeMenu";

export const AppHeader = () => (
  <header className="flex h-12 shrink-0 items-center gap-3 border-b bg-card px-4">
    <Link href="/" className="flex items-center gap-2 rounded font-semibold text-body">
      <Logo />
      AIdeator
    </Link>
    <span className="flex-1" />
    <Button asChild look="ghost" size="sm">
      <Link href="/">
        <Plus aria-hidden />
        New run
      </Link>
    </Button>
    <ThemeMenu />
  </header>
);
