package dev.flagship.tokenizers;

import java.util.ArrayList;
import java.util.HashSet;
import java.util.List;
import java.util.Optional;
import java.util.Set;
import org.jspecify.annotations.Nullable;

/** Reads the {@code normalizer} of a {@code tokenizer.json}. */
final class NormalizerJson {
    /** Published vocabularies have four at most, none of them twice. */
    private static final int MOST_STEPS = 4;

    private NormalizerJson() {}

    /**
     * A normalizer of steps that change a text alone.
     *
     * @throws TokenizerException if it has another step
     */
    static TextNormalizer read(@Nullable TemplateValue normalizer) {
        List<TextNormalizer.Step> steps = new ArrayList<>();
        for (TemplateValue.Mapping part : steps(normalizer)) {
            steps.add(step(part).orElseThrow(() -> TokenizerJson.unknownPart("normalizer", part)));
        }
        return new TextNormalizer(steps);
    }

    /** One step; empty if it is no step of a text's own. */
    static Optional<TextNormalizer.Step> step(TemplateValue.Mapping part) {
        return switch (PreTokenizerJson.type(part)) {
            case "NFC" -> Optional.of(TextNormalizer.Step.NFC);
            case "NFD" -> Optional.of(TextNormalizer.Step.NFD);
            case "NFKC" -> Optional.of(TextNormalizer.Step.NFKC);
            case "NFKD" -> Optional.of(TextNormalizer.Step.NFKD);
            case "Lowercase" -> Optional.of(TextNormalizer.Step.LOWERCASE);
            default -> Optional.empty();
        };
    }

    /**
     * Its steps in order.
     *
     * @throws TokenizerException if they are more than published files need
     */
    static List<TemplateValue.Mapping> steps(@Nullable TemplateValue normalizer) {
        List<TemplateValue.Mapping> steps =
                SpacesJson.steps(normalizer, "normalizers", "normalizer");
        if (steps.size() > MOST_STEPS) {
            throw TokenizerException.unsupported(
                    "tokenizer.json: normalizer has more than %d steps, which this version allows",
                    MOST_STEPS);
        }
        Set<String> types = new HashSet<>();
        for (TemplateValue.Mapping step : steps) {
            if (!types.add(PreTokenizerJson.type(step))) {
                throw TokenizerException.unsupported(
                        "tokenizer.json: normalizer has the step %s twice; take the second one out",
                        TokenizerException.quote(PreTokenizerJson.type(step)));
            }
        }
        return steps;
    }
}
