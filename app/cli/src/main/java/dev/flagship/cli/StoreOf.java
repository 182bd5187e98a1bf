package dev.flagship.cli;

import dev.flagship.launch.ModelStore;
import java.nio.file.Path;

/** The model store that a command's environment names. */
final class StoreOf {
    private StoreOf() {}

    static ModelStore context(Context context) {
        return ModelStore.open(home(context), context.environment());
    }

    static Path home(Context context) {
        return ModelStore.defaultHome(context.environment());
    }

    /** Where packed weights are kept. */
    static Path packed(ModelStore store) {
        return store.home().resolve("packed");
    }
}
