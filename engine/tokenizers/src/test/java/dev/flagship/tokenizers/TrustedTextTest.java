package dev.flagship.tokenizers;

import static org.assertj.core.api.Assertions.assertThat;

import java.util.ArrayList;
import java.util.List;
import java.util.Locale;
import java.util.regex.Pattern;
import org.junit.jupiter.api.Test;

/** Every way to mark a short text, against one mark for each character. */
class TrustedTextTest {
    private static final String LETTERS = "abcdefgh";
    private static final Pattern CAPITALS = Pattern.compile("[A-Z]+");

    /** The first {@code length} letters; a capital is untrusted. */
    private static String model(int length, int mask) {
        StringBuilder text = new StringBuilder();
        for (int i = 0; i < length; i++) {
            char c = LETTERS.charAt(i);
            text.append((mask >> i & 1) == 1 ? Character.toUpperCase(c) : c);
        }
        return text.toString();
    }

    /** Built one character after the other. */
    private static TrustedText text(String model) {
        TrustedText.Builder builder = new TrustedText.Builder();
        for (int i = 0; i < model.length(); i++) {
            String letter = model.substring(i, i + 1).toLowerCase(Locale.ROOT);
            builder.append(TrustedText.of(letter, Character.isLowerCase(model.charAt(i))));
        }
        return builder.build();
    }

    private static String model(TrustedText text) {
        TrustedText.Cursor cursor = text.cursor();
        StringBuilder model = new StringBuilder();
        for (int i = 0; i < text.length(); i++) {
            char c = text.text().charAt(i);
            model.append(cursor.untrustedEnd(i) > i ? Character.toUpperCase(c) : c);
        }
        return model.toString();
    }

    private static int runsOfCapitals(String model) {
        return (int) CAPITALS.matcher(model).results().count();
    }

    @Test
    void aPartKeepsTheMarkOfEachCharacter() {
        for (int mask = 0; mask < 1 << LETTERS.length(); mask++) {
            String model = model(LETTERS.length(), mask);
            TrustedText whole = text(model);
            for (int from = 0; from <= model.length(); from++) {
                for (int to = from; to <= model.length(); to++) {
                    TrustedText part = whole.substring(from, to);
                    String expected = model.substring(from, to);
                    assertThat(model(part)).isEqualTo(expected);
                    assertThat(part.trusted()).isEqualTo(runsOfCapitals(expected) == 0);
                }
            }
        }
    }

    @Test
    void joinedTextsKeepTheMarkOfEachCharacterAndNeighboursAreOneRange() {
        List<String> models = new ArrayList<>();
        for (int length = 0; length <= 3; length++) {
            for (int mask = 0; mask < 1 << length; mask++) {
                models.add(model(length, mask));
            }
        }
        for (String a : models) {
            for (String b : models) {
                for (String c : models) {
                    TrustedText joined = TrustedText.join(List.of(text(a), text(b), text(c)));
                    String expected = a + b + c;
                    assertThat(model(joined)).isEqualTo(expected);
                    assertThat(joined.weight())
                            .isEqualTo(expected.length() + 8L * runsOfCapitals(expected));
                }
            }
        }
        assertThat(TrustedText.join(List.of()).text()).isEmpty();
    }
}
