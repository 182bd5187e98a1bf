package dev.flagship.cli;

import dev.flagship.base.Bytes;
import dev.flagship.base.Quoted;
import dev.flagship.launch.CatalogueModel;
import dev.flagship.launch.ModelStore;
import dev.flagship.launch.StoredModel;
import dev.flagship.serving.PackedCopies;
import java.io.IOException;
import java.io.PrintStream;
import java.time.Instant;
import java.time.ZoneId;
import java.time.format.DateTimeFormatter;
import java.util.List;
import java.util.Locale;
import java.util.Set;
import java.util.concurrent.Callable;
import java.util.stream.Collectors;
import picocli.CommandLine.Command;
import picocli.CommandLine.Model.CommandSpec;
import picocli.CommandLine.Option;
import picocli.CommandLine.ParameterException;
import picocli.CommandLine.Spec;
import tools.jackson.databind.node.ArrayNode;
import tools.jackson.databind.node.ObjectNode;

/** {@code flagship list}: what is in the store, and what could be. */
@Command(
        name = "list",
        aliases = "ls",
        description = "List the models of the store, or those that have names.",
        footer = {
            "",
            "Examples:",
            "  flagship list                what is here",
            "  flagship list --catalogue    what flagship pull NAME can fetch",
            "  flagship list --quiet | xargs -n 1 flagship show"
        },
        sortOptions = false)
@SuppressWarnings("NullAway.Init") // picocli sets the annotated fields
final class ListCommand implements Callable<Integer> {
    private static final DateTimeFormatter DAY =
            DateTimeFormatter.ofPattern("yyyy-MM-dd", Locale.ROOT);

    private final Context context;

    @Spec private CommandSpec spec;

    @Option(
            names = {"-c", "--catalogue"},
            description = "The models that can be fetched by name.")
    private boolean catalogue;

    @Option(
            names = {"-q", "--quiet"},
            description = "Names only, one a line.")
    private boolean quiet;

    @Option(names = "--json", description = "A JSON list, all sizes in bytes.")
    private boolean json;

    ListCommand(Context context) {
        this.context = context;
    }

    @Override
    public Integer call() throws IOException {
        if (quiet && json) {
            throw new ParameterException(
                    spec.commandLine(), "--quiet and --json are two ways to print; choose one");
        }
        var store = StoreOf.context(context);
        PrintStream out = context.streams().out();
        List<StoredModel> stored = store.stored();
        if (catalogue) {
            catalogue(store, stored, out);
        } else if (quiet) {
            stored.forEach(model -> out.println(model.name()));
        } else if (json) {
            ArrayNode list = Json.array();
            for (StoredModel model : stored) {
                list.add(json(model).put("packed_bytes", packed(store, model)));
            }
            Json.print(out, list);
        } else {
            table(store, stored, out);
        }
        out.flush();
        return 0;
    }

    private static void table(ModelStore store, List<StoredModel> stored, PrintStream out)
            throws IOException {
        if (stored.isEmpty()) {
            out.println(
                    "No models are here yet. flagship pull NAME fetches one; flagship list --catalogue shows names.");
            return;
        }
        Table table = new Table("NAME", "SIZE", "PACKED", "SINCE", "LICENCE", "FROM");
        for (StoredModel model : stored) {
            long packed = packed(store, model);
            table.add(
                    model.name(),
                    model.complete() ? Bytes.human(model.bytes()) : "damaged",
                    packed == 0 ? "-" : Bytes.human(packed),
                    DAY.format(model.fetched().atZone(ZoneId.systemDefault())),
                    Quoted.visible(model.licence().name()),
                    Quoted.visible(origin(model)));
        }
        table.print(out);
        if (stored.stream().anyMatch(model -> !model.complete())) {
            out.println(
                    "Damaged: files are missing or cut short; flagship pull fetches them again.");
        }
    }

    /** Where it is from, without the revision, which the JSON has. */
    private static String origin(StoredModel model) {
        return model.origin().replaceFirst("@[0-9a-f]{40}$", "");
    }

    private static long packed(ModelStore store, StoredModel model) throws IOException {
        return model.complete()
                ? PackedCopies.of(StoreOf.packed(store), model.path(), model.files()).bytes()
                : 0;
    }

    private void catalogue(ModelStore store, List<StoredModel> stored, PrintStream out) {
        Set<String> here =
                stored.stream()
                        .filter(StoredModel::complete)
                        .map(StoredModel::name)
                        .collect(Collectors.toSet());
        if (quiet) {
            store.catalogue().forEach(model -> out.println(model.name()));
        } else if (json) {
            ArrayNode list = Json.array();
            for (CatalogueModel model : store.catalogue()) {
                ObjectNode entry = list.addObject();
                entry.put("name", model.name())
                        .put("title", model.title())
                        .put("purpose", model.purpose())
                        .put("parameters", model.parameters())
                        .put("bytes", model.bytes())
                        .put("origin", model.origin())
                        .put("here", here.contains(model.name()));
                licence(entry, model.licence());
            }
            Json.print(out, list);
        } else {
            Table table = new Table("NAME", "SIZE", "LICENCE", "HERE", "FOR");
            for (CatalogueModel model : store.catalogue()) {
                table.add(
                        model.name(),
                        Bytes.human(model.bytes()),
                        model.licence().id() + (model.licence().open() ? "" : " *"),
                        here.contains(model.name()) ? "yes" : "-",
                        Quoted.visible(model.purpose()));
            }
            table.print(out);
            out.println(
                    "* These terms are shown, and must be accepted, before the first download.");
        }
    }

    static ObjectNode json(StoredModel model) {
        ObjectNode entry = Json.object();
        entry.put("name", model.name())
                .put("title", model.title())
                .put("origin", model.origin())
                .put("bytes", model.bytes())
                .put("since", Instant.ofEpochSecond(model.fetched().getEpochSecond()).toString())
                .put("path", model.path().toString())
                .put("complete", model.complete());
        licence(entry, model.licence());
        return entry;
    }

    private static void licence(ObjectNode entry, dev.flagship.launch.Licence licence) {
        entry.putObject("licence")
                .put("id", licence.id())
                .put("name", licence.name())
                .put("url", licence.url())
                .put("open", licence.open());
    }
}
