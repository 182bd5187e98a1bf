package dev.flagship.hostile;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.EnumMap;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.function.Supplier;
import java.util.stream.Stream;

/** All hand-made cases, by format. */
public final class HostileCases {
    private HostileCases() {}

    public static Stream<HostileCase> all() {
        return Stream.<Supplier<Stream<HostileCase>>>of(
                        GgufCases::all,
                        SafetensorsCases::all,
                        TorchCases::all,
                        DescriptionCases::all,
                        TokenizerJsonCases::all,
                        TokenizerModelCases::all,
                        TemplateCases::all)
                .flatMap(Supplier::get);
    }

    /** Models without a lie, but with much of what formats allow: they may be read or refused. */
    public static Stream<HostileCase> heavy() {
        return HeavyCases.all();
    }

    /** Those of some formats. */
    public static Stream<HostileCase> of(Format... formats) {
        List<Format> wanted = List.of(formats);
        return all().filter(each -> wanted.contains(each.format()));
    }

    /**
     * Writes each case into a folder of its own, {@code FORMAT/NN-what-it-is}, and {@code
     * cases.tsv} with a line for each: what is to be opened, class, what is wrong.
     *
     * @param folder is made, and must not have them yet
     * @return how many there are
     */
    public static int write(Path folder) throws IOException {
        List<String> lines = new ArrayList<>();
        lines.add("open\tclass\tlie");
        Map<Format, Integer> numbers = new EnumMap<>(Format.class);
        for (HostileCase each : (Iterable<HostileCase>) all()::iterator) {
            int number = numbers.merge(each.format(), 1, Integer::sum);
            Path own =
                    folder.resolve(each.format().title())
                            .resolve("%03d-%s".formatted(number, plain(each.lie())));
            Path open = each.write(own);
            lines.add(folder.relativize(open) + "\t" + each.covers() + "\t" + each.lie());
        }
        Files.write(folder.resolve("cases.tsv"), lines);
        return lines.size() - 1;
    }

    private static String plain(String lie) {
        String words = lie.toLowerCase(Locale.ROOT).replaceAll("[^a-z0-9]+", "-");
        return words.substring(0, Math.min(40, words.length()));
    }
}
