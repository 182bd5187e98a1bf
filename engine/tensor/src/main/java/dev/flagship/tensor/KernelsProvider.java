package dev.flagship.tensor;

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
    java.util.Optional<String> obstacle();

    /** Creates the rung; its scratch is sized for the team's threads. */
    Kernels create(Team team);
}
