package dev.flagship.launch;

/** Asks whoever fetches a model whether its terms are accepted. */
public interface LicenceGate {
    /** Accepts nothing that must be asked: for whoever cannot ask. */
    LicenceGate NOBODY = (_, _) -> false;

    /**
     * Whether the terms are accepted. Asked once for each licence of a store, and never for open
     * ones.
     *
     * @param model the maker's name for it
     */
    boolean accepts(Licence licence, String model);
}
