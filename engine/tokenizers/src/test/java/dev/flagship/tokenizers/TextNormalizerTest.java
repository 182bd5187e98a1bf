package dev.flagship.tokenizers;

import static org.assertj.core.api.Assertions.assertThat;

import java.util.ArrayList;
import java.util.List;
import java.util.Locale;
import org.junit.jupiter.api.Test;

/** Against Java's own way with a text of one character, which makes garbage for each. */
class TextNormalizerTest {
    private static final TextNormalizer LOWERCASE =
            new TextNormalizer(List.of(TextNormalizer.Step.LOWERCASE));

    @Test
    void everyCharacterIsLoweredForItself() {
        List<String> wrong = new ArrayList<>();
        StringBuilder texts = new StringBuilder();
        StringBuilder lowered = new StringBuilder();
        for (int c = 0; c <= Character.MAX_CODE_POINT; c++) {
            if (c >= Character.MIN_SURROGATE && c <= Character.MAX_SURROGATE) {
                continue;
            }
            String text = Character.toString(c);
            String expected = text.toLowerCase(Locale.ROOT);
            if (!LOWERCASE.apply(text).equals(expected)) {
                wrong.add("U+%04X".formatted(c));
            }
            texts.append(text);
            lowered.append(expected);
        }
        assertThat(wrong).isEmpty();
        assertThat(LOWERCASE.apply(texts.toString())).isEqualTo(lowered.toString());
    }

    @Test
    void aFinalSigmaIsOneLikeAnyOther() {
        assertThat(LOWERCASE.apply("\u039F\u03A3")).isEqualTo("\u03BF\u03C3");
    }
}
