package dev.flagship.tokenizers;

import static org.assertj.core.api.Assertions.assertThat;

import dev.flagship.hostile.Format;
import dev.flagship.hostile.HostileCase;
import dev.flagship.hostile.HostileCases;
import dev.flagship.hostile.Meter;
import dev.flagship.hostile.TinyModel;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.util.List;
import java.util.Map;
import java.util.concurrent.atomic.AtomicReference;
import java.util.stream.Stream;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.MethodSource;

/** Each hand-made vocabulary is refused for what it is, at a cost that its size allows. */
@Timeout(60)
class HostileVocabulariesTest {
    @TempDir Path folder;

    @BeforeAll
    static void loadClasses(@TempDir Path folder) throws IOException {
        for (Map<String, byte[]> valid :
                List.of(
                        TinyModel.tokenizerJson(),
                        TinyModel.spacesJson(),
                        TinyModel.sentencePiece(),
                        TinyModel.tiktoken(),
                        TinyModel.vocabulary())) {
            Path own = Files.createTempDirectory(folder, "valid");
            for (Map.Entry<String, byte[]> file : valid.entrySet()) {
                Files.write(own.resolve(file.getKey()), file.getValue());
            }
            assertThat(BpeTokenizer.fromFolder(own)).isPresent();
        }
    }

    static Stream<HostileCase> cases() {
        return HostileCases.of(
                Format.TOKENIZER_JSON, Format.SENTENCE_PIECE, Format.TIKTOKEN, Format.VOCABULARY);
    }

    @ParameterizedTest
    @MethodSource("cases")
    void isRefusedAsPromised(HostileCase hostile) throws IOException {
        Path own = hostile.write(folder);
        AtomicReference<TokenizerException> error = new AtomicReference<>();
        Meter.Cost cost =
                Meter.of(() -> {
                    try {
                        BpeTokenizer.fromFolder(own);
                    } catch (TokenizerException e) {
                        error.set(e);
                    }
                });
        assertThat(error.get()).isNotNull().hasMessageContaining(hostile.words());
        cost.requireBytes(hostile.bytes());
        cost.requireTime(Duration.ofSeconds(2));
    }
}
