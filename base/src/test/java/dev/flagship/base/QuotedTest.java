package dev.flagship.base;

import static org.assertj.core.api.Assertions.assertThat;

import org.junit.jupiter.api.Test;

class QuotedTest {
    @Test
    void printableAsciiStaysReadable() {
        assertThat(Quoted.of("blk.0.attn_q.weight ~!")).isEqualTo("\"blk.0.attn_q.weight ~!\"");
        assertThat(Quoted.of("")).isEqualTo("\"\"");
    }

    @Test
    void quotesAndBackslashesCannotEndTheQuotation() {
        assertThat(Quoted.of("a\" is fine. \\")).isEqualTo("\"a\\\" is fine. \\\\\"");
    }

    @Test
    void nothingForgesALineOrSteersATerminal() {
        assertThat(Quoted.of("a\r\n2026 INFO fine\t\u001b[2J\0\u007f"))
                .isEqualTo("\"a\\u000d\\u000a2026 INFO fine\\u0009\\u001b[2J\\u0000\\u007f\"");
        // Right-to-left override, line separator, a lone surrogate, a letter.
        assertThat(Quoted.of("\u202e\u2028\ud800\u00e9"))
                .isEqualTo("\"\\u202e\\u2028\\ud800\\u00e9\"");
    }

    @Test
    void visibleTextKeepsItsLinesAndLettersAndNothingThatSteers() {
        assertThat(Quoted.visible("{% a %}\n\t\"\\ \u00e9\u4f60\ud83d\ude00"))
                .isEqualTo("{% a %}\n\t\"\\ \u00e9\u4f60\ud83d\ude00");
        assertThat(Quoted.visible("\u001b[2J\r\0\u007f\u009b\u202e\u2028\ud800\ue000\u200b"))
                .isEqualTo(
                        "\\u001b[2J\\u000d\\u0000\\u007f\\u009b\\u202e\\u2028\\ud800\\ue000\\u200b");
        assertThat(Quoted.visible("\udb40\udc41")).isEqualTo("\\udb40\\udc41"); // a tag
    }

    @Test
    void longTextIsCutAndItsLengthTold() {
        assertThat(Quoted.of("n".repeat(120))).hasSize(122);
        assertThat(Quoted.of("n".repeat(1_000_000)))
                .isEqualTo("\"" + "n".repeat(120) + "\"… (1000000 characters)");
    }
}
