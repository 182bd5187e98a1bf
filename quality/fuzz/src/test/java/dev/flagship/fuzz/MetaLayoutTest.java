package dev.flagship.fuzz;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import dev.flagship.hostile.TinyModel;
import dev.flagship.serving.LoadException;
import dev.flagship.serving.ModelSummary;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Map;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/**
 * What Meta's download.sh of LLaMA 1 and 2 leaves: one tokenizer beside the folders of all sizes.
 */
class MetaLayoutTest {
    private static final String TOKENIZER = "tokenizer.model";

    @TempDir private Path temp;

    private Path written(String name) throws IOException {
        Path folder = Files.createDirectories(temp.resolve(name));
        for (Map.Entry<String, byte[]> file : TinyModel.meta().entrySet()) {
            Files.write(folder.resolve(file.getKey()), file.getValue());
        }
        return folder;
    }

    @Test
    void theTokenizerMayLieAboveTheWeights() throws IOException {
        int vocabulary = ModelSummary.read(written("whole")).vocabulary();
        Path sized = written("all/llama-2-7b");
        Path above = sized.resolveSibling(TOKENIZER);
        Files.move(sized.resolve(TOKENIZER), above);
        assertThat(ModelSummary.read(sized).vocabulary()).isEqualTo(vocabulary);
        Files.delete(above);
        assertThatThrownBy(() -> ModelSummary.read(sized))
                .isInstanceOf(LoadException.class)
                .hasMessageContaining(sized.toString())
                .hasMessageContaining("tokenizer");
    }
}
