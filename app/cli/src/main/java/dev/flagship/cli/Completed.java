package dev.flagship.cli;

import dev.flagship.serving.LoadOptions;
import dev.flagship.serving.QuantMix;
import dev.flagship.serving.Rungs;
import dev.flagship.tensor.Numerics;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.Map;
import java.util.stream.Stream;
import picocli.CommandLine;
import picocli.CommandLine.Model.ArgSpec;
import picocli.CommandLine.Model.CommandSpec;
import picocli.CommandLine.Model.OptionSpec;
import picocli.CommandLine.Model.PositionalParamSpec;

/**
 * A command as a shell's completion sees it.
 *
 * @param path as typed, {@code flagship kernels dump}
 * @param about what it does, in a few words
 * @param flags all of its own
 * @param words what may follow: its own commands, or choices of its first word
 * @param first what its first word is, where it is none of {@code words}
 */
record Completed(String path, String about, List<Flag> flags, List<Completed> words, Value first) {
    Completed {
        flags = List.copyOf(flags);
        words = List.copyOf(words);
    }

    /** What can stand after a flag, or as a command's first word. */
    sealed interface Value {
        /** Nothing: the next word is another matter. */
        record None() implements Value {}

        /** Something that nobody can guess. */
        record Any() implements Value {}

        /** A file or a folder. */
        record File() implements Value {}

        /** A model's name, its file or its folder. */
        record Model() implements Value {}

        /** One of these. */
        record Choice(List<String> words) implements Value {
            public Choice {
                words = List.copyOf(words);
            }
        }
    }

    /**
     * A flag.
     *
     * @param names all of them, {@code -o} and {@code --output}
     */
    record Flag(List<String> names, String about, Value value) {
        Flag {
            names = List.copyOf(names);
        }
    }

    /** The last word of its path. */
    String name() {
        return path.substring(path.lastIndexOf(' ') + 1);
    }

    /** All commands, the launcher's own among them, {@code flagship} itself first. */
    static List<Completed> all(CommandLine flagship) {
        Completed root = of(flagship.getCommandSpec(), "");
        List<Completed> words = new ArrayList<>(root.words());
        words.addAll(launchers());
        Completed whole =
                new Completed(root.path(), root.about(), root.flags(), words, root.first());
        return whole.withBelow().map(each -> each.helping(words)).toList();
    }

    private Stream<Completed> withBelow() {
        return Stream.concat(Stream.of(this), words.stream().flatMap(Completed::withBelow));
    }

    /** The command help takes the names of the others. */
    private Completed helping(List<Completed> others) {
        return path.equals("flagship help")
                ? new Completed(
                        path,
                        about,
                        flags,
                        List.of(),
                        new Value.Choice(others.stream().map(Completed::name).toList()))
                : this;
    }

    private static Completed of(CommandSpec spec, String above) {
        String path = above + spec.name();
        List<Completed> below = new ArrayList<>();
        spec.subcommands().values().stream()
                .filter(line -> !line.getCommandSpec().usageMessage().hidden())
                .forEach(line -> below.add(of(line.getCommandSpec(), path + " ")));
        List<Flag> flags = new ArrayList<>();
        for (OptionSpec option : spec.options()) {
            if (!option.hidden()) {
                flags.add(
                        new Flag(
                                List.of(option.names()),
                                about(option.description()),
                                option.arity().max() == 0
                                        ? new Value.None()
                                        : value(option, option.longestName())));
            }
        }
        Value first =
                spec.positionalParameters().stream()
                        .filter(word -> !word.hidden() && word.index().contains(0))
                        .findFirst()
                        .map(Completed::value)
                        .orElse(new Value.None());
        return new Completed(path, about(spec.usageMessage().description()), flags, below, first);
    }

    private static Value value(PositionalParamSpec word) {
        return value(word, word.paramLabel());
    }

    private static Value value(ArgSpec argument, String name) {
        String label = argument.paramLabel();
        List<String> choices = choices(name);
        if (!choices.isEmpty()) {
            return new Value.Choice(choices);
        }
        return switch (label.replaceAll("[\\[\\].]", "")) {
            case "MODEL", "SOURCE", "NAME" -> new Value.Model();
            case "FILE", "FOLDER", "DIR", "PATH", "TEXT" ->
                    name.equals("--system") ? new Value.Any() : new Value.File();
            default -> new Value.Any();
        };
    }

    /** Of what has a handful of values. */
    private static List<String> choices(String name) {
        return switch (name) {
            case "--numerics" -> Arrays.stream(Numerics.values()).map(Numerics::toString).toList();
            case "--kv-cache" ->
                    Stream.of("f16", "q8_0", "f32")
                            .filter(type -> LoadOptions.kvCacheOf(type).isPresent())
                            .toList();
            case "--kernels" -> Rungs.names();
            case "--quantize", "--to" -> Arrays.asList(QuantMix.names().split("[^a-z0-9_]+"));
            case "SHELL" -> List.of("bash", "zsh", "fish");
            default -> List.of();
        };
    }

    /** The first words of a description, as far as they say one thing. */
    private static String about(String... description) {
        String text = description.length == 0 ? "" : description[0];
        return text.split("[.;:]( |$)| \\(", 2)[0];
    }

    /**
     * The commands that the launcher has without this program. A test compares their flags with
     * what they say of themselves.
     */
    private static List<Completed> launchers() {
        var model = new Value.Model();
        var file = new Value.File();
        return List.of(
                launcher(
                        "bench",
                        "Measure a model's speed and memory",
                        Map.of(
                                "--svg", file,
                                "--peer-path", file,
                                "--numerics", new Value.Choice(choices("--numerics")),
                                "--kv-cache", new Value.Choice(choices("--kv-cache")),
                                "--kernels", new Value.Choice(choices("--kernels")),
                                "--against",
                                        new Value.Choice(
                                                List.of(
                                                        "llama.cpp",
                                                        "ik_llama.cpp",
                                                        "pytorch",
                                                        "llama3.java",
                                                        "jlama"))),
                        List.of("--runs", "--threads", "--context"),
                        List.of(
                                "--json",
                                "--force",
                                "--parity",
                                "--greedy-only",
                                "--operations",
                                "--shapes"),
                        model),
                launcher(
                        "fuzz",
                        "Search for files that break the readers of models",
                        Map.of("--cases", file),
                        List.of("--minutes", "--target", "--seed"),
                        List.of("--list"),
                        new Value.None()),
                launcher(
                        "test",
                        "Check this copy of Flagship",
                        Map.of(),
                        List.of(),
                        List.of(),
                        new Value.Any()),
                launcher(
                        "dist",
                        "Make an archive that runs without a JDK",
                        Map.of("-o --output", file),
                        List.of(),
                        List.of(),
                        new Value.None()));
    }

    private static Completed launcher(
            String name,
            String about,
            Map<String, Value> known,
            List<String> guessed,
            List<String> bare,
            Value first) {
        List<Flag> flags = new ArrayList<>();
        known.entrySet().stream()
                .sorted(Map.Entry.comparingByKey())
                .forEach(each ->
                        flags.add(
                                new Flag(List.of(each.getKey().split(" ")), "", each.getValue())));
        guessed.forEach(flag -> flags.add(new Flag(List.of(flag), "", new Value.Any())));
        bare.forEach(flag -> flags.add(new Flag(List.of(flag), "", new Value.None())));
        flags.add(new Flag(List.of("-h", "--help"), "Show this help", new Value.None()));
        return new Completed("flagship " + name, about, flags, List.of(), first);
    }
}
