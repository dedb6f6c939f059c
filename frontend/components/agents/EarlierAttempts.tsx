import type { Attempt } from "@/lib/parts";
import type { Variation } from "@/lib/reduce";
import { AttemptView } from "./AttemptView";
import { Fold } from "./parts/Fold";

type Props = { variation: Variation; current?: Attempt; raw: boolean };

/** What was tried before, folded away. */
export const EarlierAttempts = ({ variation, current, raw }: Props) =>
  variation.attempts
    .filter((attempt) => attempt !== current)
    .map((attempt) => (
      <Fold key={attempt.number} summary={`Attempt ${attempt.number}, before the retry`}>
        <div className="flex flex-col gap-2 py-1">
          <AttemptView attempt={attempt} open={false} raw={raw} />
        </div>
      </Fold>
    ));
