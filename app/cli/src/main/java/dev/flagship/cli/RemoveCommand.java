package dev.flagship.cli;

import dev.flagship.base.Bytes;
import dev.flagship.launch.ModelStore;
import dev.flagship.launch.StoredModel;
import dev.flagship.serving.PackedCopies;
import java.io.IOException;
import java.util.HashSet;
import java.util.List;
import java.util.Optional;
import java.util.Set;
import java.util.concurrent.Callable;
import picocli.CommandLine.Command;
import picocli.CommandLine.Model.CommandSpec;
import picocli.CommandLine.Option;
import picocli.CommandLine.ParameterException;
import picocli.CommandLine.Parameters;
import picocli.CommandLine.Spec;

/** {@code flagship rm}: a model out of the store. */
@Command(
        name = "rm",
        description = {
            "Remove models from the store, their packed weights too.",
            "Files that another name shares stay. Nothing is asked; what came from the",
            "hub can be fetched again."
        },
        footer = {
            "",
            "Examples:",
            "  flagship rm smollm2-360m tinyllama",
            "  flagship rm --unfinished    what fetches left that never came to their end"
        },
        sortOptions = false)
@SuppressWarnings("NullAway.Init") // picocli sets the annotated fields
final class RemoveCommand implements Callable<Integer> {
    private final Context context;

    @Spec private CommandSpec spec;

    @Parameters(arity = "0..*", paramLabel = "NAME", description = "Names, as list shows them.")
    private List<String> names = List.of();

    @Option(names = "--unfinished", description = "Also what is left of fetches that were stopped.")
    private boolean unfinished;

    RemoveCommand(Context context) {
        this.context = context;
    }

    @Override
    public Integer call() throws IOException {
        if (names.isEmpty() && !unfinished) {
            throw new ParameterException(
                    spec.commandLine(), "which model? flagship list shows their names");
        }
        var store = StoreOf.context(context);
        var out = context.streams().out();
        checkAll(store);
        for (String name : names) {
            long freed = remove(store, name);
            out.println(
                    freed == 0
                            ? "Removed %s; its files stay, for another name has them."
                                    .formatted(name)
                            : "Removed %s: %s are free again.".formatted(name, Bytes.human(freed)));
            out.flush();
        }
        if (unfinished) {
            out.println(
                    "Removed unfinished downloads: %s are free again."
                            .formatted(Bytes.human(store.removeUnfinished())));
            out.flush();
        }
        return 0;
    }

    /** All or none: a misspelt name is told before anything is removed. */
    private void checkAll(ModelStore store) throws IOException {
        Set<String> known = new HashSet<>();
        store.stored().forEach(model -> known.add(model.name()));
        store.catalogue().forEach(model -> known.add(model.name()));
        for (String name : names) {
            if (!known.contains(name)) {
                store.remove(name); // which says what is here
            }
        }
    }

    private static long remove(ModelStore store, String name) throws IOException {
        Optional<StoredModel> model =
                store.stored().stream().filter(each -> each.name().equals(name)).findFirst();
        if (model.isEmpty()) { // of a fetch that never came to its end
            return store.remove(name);
        }
        PackedCopies packed =
                PackedCopies.of(StoreOf.packed(store), model.get().path(), model.get().files());
        return store.remove(name) + packed.delete();
    }
}
