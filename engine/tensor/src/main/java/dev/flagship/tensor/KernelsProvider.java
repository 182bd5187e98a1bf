package dev.flagship.tensor;

import java.util.EnumSet;
import java.util.List;
import java.util.Optional;
import java.util.Set;
import java.util.function.Consumer;

/**
 * A rung that {@link java.util.ServiceLoader} finds. A provider must load without touching what its
 * host may lack, so that the fall to a lower rung is a sentence and not a linkage error.
 */
public interface KernelsProvider {

    /** Name for {@code --kernels}: {@code vector}, {@code scalar}. */
    String name();

    /** Higher is preferred. */
    int preference();

    /** Empty if the rung can run here, else why not and what to do about it. */
    Optional<String> obstacle();

    /**
     * Whether the rung was made for this processor and system. Then an obstacle is one that
     * somebody can remove, and who wants speed must hear of it; else a lower rung is the best there
     * is.
     */
    default boolean suits() {
        return true;
    }

    /** What of this host the rung goes by, for people: instruction sets, vector widths. */
    default Optional<String> host() {
        return Optional.empty();
    }

    /**
     * Creates the rung, or as much of it as works here; its scratch is sized for the team's
     * threads.
     *
     * @param types of weights that there will be: the fewer, the less there may be to prepare.
     *     Those of other types are multiplied as well, but perhaps slowly
     * @param warnings hears, once each, of what is left to slower kernels than this processor could
     *     run: cause, remedy, and what computes it instead
     */
    Kernels create(Team team, Set<DType> types, Consumer<String> warnings);

    /** The same for weights of any type. */
    default Kernels create(Team team, Consumer<String> warnings) {
        return create(team, EnumSet.allOf(DType.class), warnings);
    }

    /** The machine code that the rung would run here, in its order in memory; empty if none. */
    default List<MachineCode> machineCode() {
        return List.of();
    }

    /**
     * Loops of the arithmetic that the rung's products are made of, at most one of each kind. The
     * caller closes them. Empty if the rung cannot run here, or has none.
     */
    default List<PeakLoop> peakLoops() {
        return List.of();
    }
}
