package dev.flagship.base;

import static org.assertj.core.api.Assertions.assertThat;

import org.junit.jupiter.api.Test;

/** What a parser says is half out of the text; what it says of texts stands with its readers. */
class JsonFaultTest {
    @Test
    void placeIsLeftOutWhereTheParserHasNone() {
        assertThat(JsonFault.of("Duplicate Object property \"a\"", 2, 3))
                .isEqualTo("line 2, column 3: the name \"a\" is there twice");
        assertThat(JsonFault.of("Duplicate Object property \"a\"", 0, 0))
                .isEqualTo("the name \"a\" is there twice");
    }

    @Test
    void nothingOutOfTheTextSteersATerminalOrFillsAScreen() {
        String steering = "\u001b[2J\n" + "x".repeat(9_000);
        for (String said :
                new String[] {
                    "Unrecognized token '" + steering + "': was expecting (JSON String)",
                    "Duplicate Object property \"" + steering + "\"",
                    steering,
                }) {
            assertThat(JsonFault.of(said, 1, 1))
                    .doesNotContain("\u001b", "\n", "x".repeat(200))
                    .startsWith("line 1, column 1: ");
        }
    }

    @Test
    void numbersTooLargeAreNamed() {
        assertThat(JsonFault.of("Numeric value (99999999999) out of range of `int` (-2)", 4, 1))
                .isEqualTo("line 4, column 1: the number 99999999999 is out of range");
    }

    @Test
    void wordsThatNobodyKnowsAreNotRepeated() {
        assertThat(JsonFault.of("enable `JsonReadFeature.X` [Source: REDACTED]", 0, 0))
                .isEqualTo("it is not written as JSON is");
        assertThat(JsonFault.of("Unexpected character ('?' (code 9999999)): numeric value", 0, 0))
                .isEqualTo("found no character, expected a number as JSON writes it");
    }
}
