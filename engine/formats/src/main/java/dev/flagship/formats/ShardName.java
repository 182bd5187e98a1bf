package dev.flagship.formats;

import java.io.IOException;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.BitSet;
import java.util.List;
import java.util.Locale;
import java.util.Optional;
import java.util.regex.Matcher;
import java.util.regex.Pattern;

/**
 * The name of one of a sharded checkpoint's files, as Hugging Face's libraries give it: {@code
 * model-00001-of-00002.safetensors}.
 *
 * @param file that is named so
 * @param stem the part of the name that all shards have
 * @param number of this one, from 1
 * @param count how many there are, by the name
 * @param ending with its dot
 */
record ShardName(Path file, String stem, int number, int count, String ending) {
    private static final Pattern NAME =
            Pattern.compile("(.+)-([0-9]{5})-of-([0-9]{5})(\\.safetensors|\\.bin)");

    /** What a file's name says, if it is a shard's. */
    static Optional<ShardName> of(Path file) {
        Matcher name = NAME.matcher(file.getFileName().toString());
        if (!name.matches()) {
            return Optional.empty();
        }
        int number = Integer.parseInt(name.group(2));
        int count = Integer.parseInt(name.group(3));
        return number >= 1 && number <= count
                ? Optional.of(new ShardName(file, name.group(1), number, count, name.group(4)))
                : Optional.empty();
    }

    /** The file that says which shard has which tensor, there or not. */
    Path index() {
        return file.resolveSibling(stem + ending + ".index.json");
    }

    /** The error for a shard without an index, which names other shards that are missing, too. */
    FormatException withoutIndex() throws IOException {
        BitSet there = new BitSet();
        for (Path other : ModelFiles.found(ModelFiles.folderOf(file), "*-of-*")) {
            of(other).filter(this::belongsTo).ifPresent(shard -> there.set(shard.number));
        }
        List<String> missing = new ArrayList<>();
        missing.add(index().getFileName().toString());
        int all = 1 + count - there.cardinality();
        for (int at = 1; missing.size() < Math.min(all, Shards.MOST_NAMED); at++) {
            at = there.nextClearBit(at);
            missing.add(String.format(Locale.ROOT, "%s-%05d-of-%05d%s", stem, at, count, ending));
        }
        return new FormatException(
                file, "one of several shards", Shards.missing(missing, all), Shards.FETCH_MISSING);
    }

    private boolean belongsTo(ShardName other) {
        return stem.equals(other.stem) && count == other.count && ending.equals(other.ending);
    }
}
