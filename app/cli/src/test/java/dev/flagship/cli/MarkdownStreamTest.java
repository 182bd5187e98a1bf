package dev.flagship.cli;

import static org.assertj.core.api.Assertions.assertThat;

import java.util.List;
import java.util.Random;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.junit.jupiter.params.provider.ValueSource;

class MarkdownStreamTest {
    private static final String ESC = "\u001b";

    /** Shown whole, with escapes as {@code <1>} for bold and so on. */
    private static String shown(String markdown) {
        var stream = new MarkdownStream(0);
        return readable(stream.accept(markdown) + stream.finish());
    }

    private static String readable(String text) {
        return text.replaceAll(ESC + "\\[([0-9;]*)m", "<$1>");
    }

    private static String words(String shown) {
        return shown.replaceAll(ESC + "\\[[0-9;]*m", "");
    }

    @ParameterizedTest
    @CsvSource(
            delimiter = '~',
            quoteCharacter = '§',
            value = {
                "some **bold** text                ~ some <1>bold<0> text",
                "**bold**                          ~ <1>bold<0>",
                "*it* and _it_.                    ~ <3>it<0> and <3>it<0>.",
                "***both***                        ~ <1><3>both<0>",
                "a `code` b                        ~ a <36>code<0> b",
                "`` a`b ``                         ~ <36>a`b<0>",
                "**bold `code` bold**              ~ <1>bold <36>code<0><1> bold<0>",
                "*a **b** c*                       ~ <3>a <1>b<0><3> c<0>",
                "**a *b***                         ~ <1>a <3>b<0><1><0>",
                "# Title                           ~ <1;4>Title<0>",
                "### Third **bold**                ~ <1>Third <1>bold<0><1><0>",
                "- one                             ~ • one",
                "  * **one**: two                  ~   • <1>one<0>: two",
                "1. one                            ~ 1. one",
                "> said                            ~ <2>│ <0>said",
                "> - said                          ~ <2>│ <0>• said",
                "---                               ~ <2>────────────────────────<0>",
                "| a_b_ | **b** |                  ~ | a_b_ | **b** |",
                "这是**重点**内容                  ~ 这是<1>重点<0>内容",
                "a \\*star\\*                      ~ a *star*",
            })
    void showsMarkdownAsATerminalCan(String markdown, String expected) {
        assertThat(shown(markdown)).isEqualTo(expected);
    }

    @Test
    void showsWhatIsStruckOut() {
        assertThat(shown("no ~~old~~ new ~/x ~~")).isEqualTo("no <9>old<0> new ~/x ~~");
    }

    /** Programs, sums, names and addresses. */
    @ParameterizedTest
    @ValueSource(
            strings = {
                "2*3*4 = 24",
                "2 * 3 * 4",
                "a_b_c and __init__.py_x",
                "ls src/*.java test/*.java",
                "src/**/*.java and lib/**/*.jar",
                "https://example.org/_a_/b_c_d",
                "**never closed",
                "`never closed",
                "a ** b",
                "**",
                "*",
                "#hashtag",
                "-5 degrees",
                "====",
                "x < 3 & y > 2",
                "\\(x_1\\) and \\[ y \\]",
                "C:\\temp\\new",
                "5 > 3",
                "3.14 is pi",
                "1",
                "12.",
                "1234. no",
                "",
            })
    void leavesAloneWhatIsNoMarkdown(String text) {
        assertThat(shown(text)).isEqualTo(text);
    }

    @Test
    void codeInAFenceStaysAsItIs() {
        assertThat(
                        shown(
                                """
                                Look:
                                ```python
                                def f(*a, **k):  # __x__ `y`
                                    return "- no list"

                                ``
                                ```
                                **done**
                                """))
                .isEqualTo(
                        """
                        Look:
                        <2>```python<0>
                        <36>def f(*a, **k):  # __x__ `y`<0>
                        <36>    return "- no list"<0>
                        <36><0>
                        <36>``<0>
                        <2>```<0>
                        <1>done<0>
                        """);
    }

    @Test
    void aFenceIsClosedOnlyByOneOfItsKind() {
        assertThat(shown("~~~~\n```\n~~~\n~~~~\n*i*"))
                .isEqualTo("<2>~~~~<0>\n<36>```<0>\n<36>~~~<0>\n<2>~~~~<0>\n<3>i<0>");
    }

    /** It streams: only what may become something is held back. */
    @Test
    void holdsBackNoMoreThanItMust() {
        var stream = new MarkdownStream(0);
        assertThat(stream.accept("Hello")).isEqualTo("Hello");
        assertThat(stream.accept(" wor")).isEqualTo(" wor");
        assertThat(stream.accept("ld *")).isEqualTo("ld");
        assertThat(stream.accept("*b")).isEmpty();
        assertThat(readable(stream.accept("old** x"))).isEqualTo(" <1>bold<0> x");
        assertThat(stream.accept("\n``")).isEqualTo("\n");
        assertThat(readable(stream.accept("`c\nco"))).isEqualTo("<2>```c<0>\n<36>co");
        assertThat(readable(stream.accept("de\n"))).isEqualTo("de<0>\n");
    }

    @Test
    void aMarkerWithoutPartnerIsShownAfterAWhile() {
        var stream = new MarkdownStream(0);
        String text = "a ** long story".repeat(1) + " **that never " + "goes on and ".repeat(40);
        assertThat(stream.accept(text)).startsWith("a ** long story **that never goes on");
    }

    @Test
    void nothingOfTheTextSteersTheTerminal() {
        var bell = new StringBuilder();
        for (char c = 0; c < 0xA0; c++) {
            bell.append("x").append(c).append("**").append(c).append("b** `").append(c).append("`");
        }
        var stream = new MarkdownStream(0);
        String shown = stream.accept(bell + "\n```" + bell + "\n# " + bell) + stream.finish();
        String left = shown.replaceAll(ESC + "\\[(0|1|2|3|9|36|1;4)m", "");
        assertThat(left.chars().filter(c -> c != '\n' && c != '\t'))
                .noneMatch(Character::isISOControl);
        assertThat(shown("\u001b[2J **\u001b]0;x\u0007**"))
                .isEqualTo("\\u001b[2J <1>\\u001b]0;x\\u0007<0>");
    }

    private static String wrapped(String text, int width) {
        var stream = new MarkdownStream(width);
        return stream.accept(text) + stream.finish();
    }

    @Test
    void linesAreBrokenBetweenWordsAndListsHang() {
        String text =
                """
                The quick brown fox jumps over the lazy dog.
                - It is **known for that and** for more
                12. Twelve is a number of months
                > said somebody of great wisdom
                | a table | which is left | as it is, however long |
                ```
                code_that_is_longer_than_the_terminal = is_left_alone(1, 2)
                ```
                averyveryverylongwordthatfitsonnolineatall end
                """;
        assertThat(readable(wrapped(text, 24)))
                .isEqualTo(
                        """
                        The quick brown fox
                        jumps over the lazy
                        dog.
                        • It is <1>known for that
                          and<0> for more
                        12. Twelve is a number
                            of months
                        <2>│ <0>said somebody of
                        <2>│ <0>great wisdom
                        | a table | which is left | as it is, however long |
                        <2>```<0>
                        <36>code_that_is_longer_than_the_terminal = is_left_alone(1, 2)<0>
                        <2>```<0>
                        averyveryverylongwordthatfitsonnolineatall end
                        """);
    }

    @Test
    void aWordThatFitsNoLineIsNotHeldBack() {
        var stream = new MarkdownStream(24);
        assertThat(stream.accept("so " + "x".repeat(30))).hasSizeGreaterThan(20);
        for (int length = 24; length < 100; length++) {
            String text = "so " + "x".repeat(length);
            assertThat(wrapped(text, 24)).isEqualTo(text);
        }
    }

    @Test
    void wideCharactersTakeTwoColumns() {
        assertThat(wrapped("一二三四五六七八九十一二", 21)).isEqualTo("一二三四五六七八九十\n一二");
    }

    @Test
    void joinersThatPeopleWriteWithStay() {
        String family = "👨\u200d👩\u200d👧 می\u200cخواهم";
        assertThat(shown(family + "\r\n")).isEqualTo(family + "\n");
        assertThat(shown("a\u202eb")).isEqualTo("a\\u202eb");
    }

    @Test
    void anyCutGivesTheSameAndNoWordIsLost() {
        long seed = Long.getLong("tests.seed", System.nanoTime());
        var random = new Random(seed);
        List<String> parts =
                List.of(
                        "**", "*", "_", "__", "`", "```", "~~", "~~~", "#", "## ", "- ", "> ", "|",
                        "\n", "\n", " ", " ", "word", "ü", "😀", "1. ", "\\", "---", "x", "(",
                        "a b");
        for (int round = 0; round < 3_000; round++) {
            var text = new StringBuilder();
            int length = random.nextInt(60);
            for (int i = 0; i < length; i++) {
                text.append(parts.get(random.nextInt(parts.size())));
            }
            String whole = shown(text.toString());
            var stream = new MarkdownStream(0);
            var pieces = new StringBuilder();
            int[] points = text.codePoints().toArray();
            for (int at = 0; at < points.length; ) {
                int end = Math.min(points.length, at + 1 + random.nextInt(7));
                pieces.append(stream.accept(new String(points, at, end - at)));
                at = end;
            }
            pieces.append(stream.finish());
            assertThat(readable(pieces.toString())).as("seed %d: %s", seed, text).isEqualTo(whole);
            assertThat(letters(words(pieces.toString())))
                    .as("seed %d: %s", seed, text)
                    .isEqualTo(letters(text.toString()));
            int width = 20 + random.nextInt(40);
            String broken = wrapped(text.toString(), width);
            assertThat(letters(words(broken))).isEqualTo(letters(text.toString()));
            assertThat(words(broken).replaceAll("[\\s│]+", ""))
                    .as("seed %d: %s", seed, text)
                    .isEqualTo(words(pieces.toString()).replaceAll("[\\s│]+", ""));
            assertThat(words(pieces.toString()).lines().count())
                    .as("seed %d: %s", seed, text)
                    .isLessThanOrEqualTo(text.toString().lines().count());
        }
    }

    private static String letters(String text) {
        return text.replaceAll("[^\\p{L}\\p{N}😀(|]", "");
    }
}
