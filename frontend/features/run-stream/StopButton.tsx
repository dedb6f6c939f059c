"use client";

import { Square } from "lucide-react";
import { useState } from "react";
import { Button } from "@/components/ui/button";
import { Dialog } from "@/components/ui/dialog";
import { plural } from "@/lib/format";

type Props = { active: number; onStop: () => void };

/** Stops every variation that has not ended; asked once, because it can't be taken back. */
export const StopButton = ({ active, onStop }: Props) => {
  const [open, setOpen] = useState(false);
  const confirm = () => {
    setOpen(false);
    onStop();
  };
  return (
    <>
      <Button look="danger" size="sm" onClick={() => setOpen(true)}>
        <Square aria-hidden />
        Stop
      </Button>
      <Dialog
        title={`Stop ${plural(active, "variation")}?`}
        description="What has been written so far stays. Each can be tried again afterwards."
        open={open}
        onOpenChange={setOpen}
      >
        <div className="flex justify-end gap-2">
          <Button onClick={() => setOpen(false)}>Let it run</Button>
          <Button look="primary" onClick={confirm}>
            Stop
          </Button>
        </div>
      </Dialog>
    </>
  );
};
