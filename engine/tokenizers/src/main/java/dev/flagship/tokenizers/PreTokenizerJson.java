package dev.flagship.tokenizers;

import java.util.ArrayList;
import java.util.List;
import org.jspecify.annotations.Nullable;

/** Reads the {@code pre_tokenizer} of a {@code tokenizer.json}. */
final class PreTokenizerJson {
    /** Published vocabularies have eight at most; each is a level of this thread's stack. */
    private static final int MOST_STEPS = 64;

    private final List<PreTokenizer> steps = new ArrayList<>();
    private boolean byteLevel;

    PreTokenizer read(@Nullable TemplateValue tree) {
        add(tree);
        if (!byteLevel) {
            throw TokenizerJson.unknownPart("pre_tokenizer without ByteLevel", tree);
        }
        return steps.size() == 1 ? steps.get(0) : new PreTokenizer.Sequence(steps);
    }

    private void add(@Nullable TemplateValue tree) {
        if (!(tree instanceof TemplateValue.Mapping part)) {
            throw TokenizerJson.unknownPart("pre_tokenizer", tree);
        }
        if (byteLevel) {
            throw TokenizerJson.unknownPart("pre_tokenizer after ByteLevel", part);
        }
        if (steps.size() == MOST_STEPS) {
            throw TokenizerException.unsupported(
                    "tokenizer.json: pre_tokenizer has more than %d steps", MOST_STEPS);
        }
        switch (type(part)) {
            case "Sequence" -> {
                for (TemplateValue inner : items(part, "pretokenizers")) {
                    add(inner);
                }
            }
            case "Digits" ->
                    steps.add(new PreTokenizer.Digits(flag(part, "individual_digits", false)));
            case "Split" -> steps.add(split(part));
            case "ByteLevel" -> {
                byteLevel = true;
                if (flag(part, "add_prefix_space", true)) {
                    steps.add(new PreTokenizer.PrefixSpace());
                }
                if (flag(part, "use_regex", true)) {
                    steps.add(new PreTokenizer.Gpt2());
                }
            }
            default -> throw TokenizerJson.unknownPart("pre_tokenizer", part);
        }
    }

    private PreTokenizer split(TemplateValue.Mapping part) {
        String expression =
                part.entries().get("pattern") instanceof TemplateValue.Mapping pattern
                                && pattern.entries().get("Regex")
                                        instanceof TemplateValue.Text regex
                        ? regex.string()
                        : "";
        boolean inverted = flag(part, "invert", false);
        String behavior =
                part.entries().get("behavior") instanceof TemplateValue.Text text
                        ? text.string()
                        : "";
        String keepsAll = inverted ? "Removed" : "Isolated";
        boolean ends =
                !expression.equals(Expressions.TRAILING_SPACES)
                        || steps.contains(Expressions.NEWLINE);
        if (ends && behavior.equals(keepsAll)) {
            return Expressions.scanner(expression, inverted)
                    .orElseThrow(() -> TokenizerJson.unknownPart("pre_tokenizer Split", part));
        }
        throw TokenizerJson.unknownPart("pre_tokenizer Split", part);
    }

    static String type(TemplateValue.Mapping part) {
        return part.entries().get("type") instanceof TemplateValue.Text type ? type.string() : "";
    }

    static List<TemplateValue> items(TemplateValue.Mapping part, String field) {
        if (part.entries().get(field) instanceof TemplateValue.Items items) {
            return items.values();
        }
        throw TokenizerException.invalid(
                "tokenizer.json: %s of a %s is not a list",
                field, TokenizerException.quote(type(part)));
    }

    static boolean flag(TemplateValue.Mapping part, String field, boolean otherwise) {
        return part.entries().get(field) instanceof TemplateValue.Bool value
                ? value == TemplateValue.Bool.TRUE
                : otherwise;
    }
}
