package dev.flagship.launch;

import java.util.regex.Matcher;
import java.util.regex.Pattern;

/** Names of the parts of a split GGUF file: {@code NAME-00001-of-00003.gguf}. */
final class SplitName {
    private static final Pattern PART = Pattern.compile("(.*)-\\d{5}-of-(\\d{5})\\.gguf");

    private SplitName() {}

    /** What the parts of one file have in common, and other files have not. */
    static String group(String path) {
        Matcher part = PART.matcher(path);
        return part.matches() ? part.group(1) + ".gguf of " + part.group(2) : path;
    }

    /** The name that the whole would have. */
    static String whole(String path) {
        Matcher part = PART.matcher(path);
        return part.matches() ? part.group(1) + ".gguf" : path;
    }
}
