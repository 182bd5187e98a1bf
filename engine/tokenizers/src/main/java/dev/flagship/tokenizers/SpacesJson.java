package dev.flagship.tokenizers;

import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import org.jspecify.annotations.Nullable;

/**
 * Reads how a {@code tokenizer.json} with SentencePiece's spaces treats them: in front of texts by
 * a normalizer ({@code Prepend}, {@code Replace}) or a pre-tokeniser ({@code Metaspace}), and back
 * by a chain of decoders.
 */
final class SpacesJson {
    private static final String SPACE = String.valueOf(Spelling.SPACE);

    private final @Nullable TemplateValue normalizer;
    private final @Nullable TemplateValue preTokenizer;
    private final @Nullable TemplateValue decoder;

    SpacesJson(
            @Nullable TemplateValue normalizer,
            @Nullable TemplateValue preTokenizer,
            @Nullable TemplateValue decoder) {
        this.normalizer = normalizer;
        this.preTokenizer = preTokenizer;
        this.decoder = decoder;
    }

    /** Whether the vocabulary spells so; byte-level ones have another decoder. */
    boolean apply() {
        if (decoder instanceof TemplateValue.Mapping part) {
            switch (PreTokenizerJson.type(part)) {
                case "ByteLevel" -> {
                    return false;
                }
                case "Sequence" -> {
                    return true;
                }
                default -> {}
            }
        }
        throw TokenizerJson.unknownPart("decoder", decoder);
    }

    BpeTokenizer.Rules rules(Map<Integer, AddedOptions> options) {
        List<TextNormalizer.Step> before = new ArrayList<>();
        PreTokenizer spaces = spaces(before);
        boolean normalized = before.size() < NormalizerJson.steps(normalizer).size();
        return new BpeTokenizer.Rules(
                spaces,
                normalized
                        ? BpeTokenizer.Added.PART_PIECES_IF_NORMALIZED
                        : BpeTokenizer.Added.PART_TEXT,
                dropsSpace(),
                new TextNormalizer(before),
                options);
    }

    /** Spaces, and the normalizer's steps before them. */
    private PreTokenizer spaces(List<TextNormalizer.Step> before) {
        boolean prepends = false;
        boolean replaces = false;
        for (TemplateValue.Mapping step : NormalizerJson.steps(normalizer)) {
            Optional<TextNormalizer.Step> own = NormalizerJson.step(step);
            if (own.isPresent() && !prepends && !replaces) {
                before.add(own.get());
                continue;
            }
            switch (PreTokenizerJson.type(step)) {
                case "Prepend" -> prepends |= require(step, "prepend", SPACE, "normalizer");
                case "Replace" -> replaces |= requireReplace(step, " ", SPACE, "normalizer");
                default -> throw TokenizerJson.unknownPart("normalizer", step);
            }
        }
        if (replaces && (preTokenizer == null || preTokenizer == TemplateValue.None.NONE)) {
            return new PreTokenizer.Spaces(
                    prepends ? PreTokenizer.Prefix.STRETCH : PreTokenizer.Prefix.NONE,
                    false,
                    false);
        }
        if (!prepends
                && preTokenizer instanceof TemplateValue.Mapping part
                && PreTokenizerJson.type(part).equals("Metaspace")) {
            require(part, "replacement", SPACE, "pre_tokenizer");
            return new PreTokenizer.Spaces(
                    prefix(part), true, PreTokenizerJson.flag(part, "split", true));
        }
        throw TokenizerJson.unknownPart("pre_tokenizer with spaces as U+2581", preTokenizer);
    }

    private static PreTokenizer.Prefix prefix(TemplateValue.Mapping metaspace) {
        String scheme =
                metaspace.entries().get("prepend_scheme") instanceof TemplateValue.Text text
                        ? text.string()
                        : PreTokenizerJson.flag(metaspace, "add_prefix_space", true)
                                ? "always"
                                : "never";
        return switch (scheme) {
            case "always" -> PreTokenizer.Prefix.STRETCH;
            case "first" -> PreTokenizer.Prefix.TEXT;
            case "never" -> PreTokenizer.Prefix.NONE;
            default -> throw TokenizerJson.unknownPart("prepend_scheme", metaspace);
        };
    }

    /**
     * U+2581 to spaces, bytes to characters, all joined, and perhaps the first space taken away.
     */
    private boolean dropsSpace() {
        List<TemplateValue.Mapping> steps = steps(decoder, "decoders", "decoder");
        List<String> types = steps.stream().map(PreTokenizerJson::type).toList();
        boolean drops = types.equals(List.of("Replace", "ByteFallback", "Fuse", "Strip"));
        if (!drops && !types.equals(List.of("Replace", "ByteFallback", "Fuse"))) {
            throw TokenizerJson.unknownPart("decoder", decoder);
        }
        requireReplace(steps.get(0), SPACE, " ", "decoder");
        if (drops) {
            TemplateValue.Mapping strip = steps.get(3);
            require(strip, "content", " ", "decoder");
            if (!isNumber(strip, "start", 1) || !isNumber(strip, "stop", 0)) {
                throw TokenizerJson.unknownPart("decoder", strip);
            }
        }
        return drops;
    }

    private static boolean isNumber(TemplateValue.Mapping part, String field, long value) {
        return part.entries().get(field) instanceof TemplateValue.Int whole
                && whole.value() == value;
    }

    private static boolean require(
            TemplateValue.Mapping part, String field, String value, String place) {
        if (part.entries().get(field) instanceof TemplateValue.Text text
                && text.string().equals(value)) {
            return true;
        }
        throw TokenizerJson.unknownPart(place, part);
    }

    private static boolean requireReplace(
            TemplateValue.Mapping part, String old, String replacement, String place) {
        if (part.entries().get("pattern") instanceof TemplateValue.Mapping pattern
                && pattern.entries().get("String") instanceof TemplateValue.Text text
                && text.string().equals(old)) {
            return require(part, "content", replacement, place);
        }
        throw TokenizerJson.unknownPart(place, part);
    }

    static List<TemplateValue.Mapping> steps(
            @Nullable TemplateValue part, String field, String place) {
        List<TemplateValue.Mapping> steps = new ArrayList<>();
        if (part == null || part == TemplateValue.None.NONE) {
            return steps;
        }
        if (!(part instanceof TemplateValue.Mapping mapping)) {
            throw TokenizerJson.unknownPart(place, part);
        }
        if (!PreTokenizerJson.type(mapping).equals("Sequence")) {
            return List.of(mapping);
        }
        for (TemplateValue item : PreTokenizerJson.items(mapping, field)) {
            if (!(item instanceof TemplateValue.Mapping step)) {
                throw TokenizerJson.unknownPart(place, item);
            }
            steps.add(step);
        }
        return steps;
    }
}
