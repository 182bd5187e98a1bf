package dev.flagship.serving;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import dev.flagship.serving.api.Prompt;
import dev.flagship.serving.api.RequestException;
import java.util.List;
import org.junit.jupiter.api.Test;

/** Tokens of bytes, of a model whose table has rows for more of them. */
class PromptCodecTest {
    private static final int PADDED = 320;

    private final PromptCodec codec =
            new PromptCodec("m", new ByteTokens(), new ModelTemplate.Absent(), 100, PADDED);

    @Test
    void tokensAreShownAsWhatTheyAre() {
        assertThat(codec.shown('a')).isEqualTo("\"a\"");
        assertThat(codec.shown(' ')).isEqualTo("\" \"");
        assertThat(codec.shown('\n')).isEqualTo("\"\\n\"");
        assertThat(codec.shown('"')).isEqualTo("\"\\\"\"");
        assertThat(codec.shown('\\')).isEqualTo("\"\\\\\"");
        assertThat(codec.shown(27)).as("steers no terminal").isEqualTo("\"\\u001b\"");
        assertThat(codec.shown(0xE2)).isEqualTo("\"\\xe2\"");
        assertThat(codec.shown(ByteTokens.END)).isEqualTo(new ByteTokens().token(ByteTokens.END));
        assertThat(codec.shown(PADDED - 1)).isEmpty();
    }

    @Test
    void idsBeyondTheVocabularyAreRefused() {
        for (int id : new int[] {-1, PADDED}) {
            assertThatThrownBy(() -> codec.ids(new Prompt.Tokens(List.of(id))))
                    .isInstanceOf(RequestException.class)
                    .hasMessageContainingAll("" + id, "320");
            assertThatThrownBy(() -> codec.spelling(id)).isInstanceOf(RequestException.class);
            assertThatThrownBy(() -> codec.text(new int[] {id}))
                    .isInstanceOf(RequestException.class);
        }
        assertThat(codec.ids(new Prompt.Tokens(List.of(PADDED - 1)))).containsExactly(PADDED - 1);
        assertThatThrownBy(() -> codec.text(new int[] {PADDED - 1}))
                .as("no text is known for padding")
                .isInstanceOf(RequestException.class);
    }
}
