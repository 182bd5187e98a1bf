package dev.flagship.formats;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import dev.flagship.hostile.LittleEndian;
import dev.flagship.hostile.TinyFiles;
import dev.flagship.tensor.DType;
import dev.flagship.tensor.MemoryLedger;
import java.io.IOException;
import java.lang.foreign.ValueLayout;
import java.nio.file.Files;
import java.nio.file.Path;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

class SafetensorsFileTest {
    @TempDir Path folder;

    @Test
    void readsASingleFileInTheOrderOfItsData() throws IOException {
        Path path = Files.write(folder.resolve("tiny.safetensors"), TinyFiles.safetensors());
        try (SafetensorsFile file = SafetensorsFile.open(path)) {
            assertThat(file.files()).containsExactly(path);
            assertThat(file.metadata()).containsEntry("format", "pt").containsEntry("note", "é");
            assertThat(file.tensors().keySet()).containsExactly("a", "b", "s");

            TensorEntry b = file.tensor("b");
            assertThat(b.type()).isEqualTo(DType.BF16);
            assertThat(b.shape()).containsExactly(2L, 3L);
            assertThat(file.data(b).toArray(ValueLayout.JAVA_BYTE))
                    .containsExactly(16, 17, 18, 19, 20, 21, 22, 23, 24, 25, 26, 27);

            TensorEntry scalar = file.tensor("s");
            assertThat(scalar.shape()).isEmpty();
            assertThat(scalar.elements()).isEqualTo(1);
            assertThat(scalar.rows()).isEqualTo(1);
            assertThat(scalar.cols()).isEqualTo(1);
        }
    }

    @Test
    void saysWhyATensorIsNotRead() throws IOException {
        Path path = Files.write(folder.resolve("tiny.safetensors"), TinyFiles.safetensors());
        try (SafetensorsFile file = SafetensorsFile.open(path)) {
            assertThat(file.withheld()).containsOnlyKeys("ids", "none");
            assertThatThrownBy(() -> file.tensor("ids"))
                    .isInstanceOf(FormatException.class)
                    .hasMessageContainingAll("\"ids\"", "\"I64\"", "reads F32, F16 and BF16");
            assertThatThrownBy(() -> file.tensor("none")).hasMessageContaining("no elements");
            assertThatThrownBy(() -> file.tensor("lm_head.weight"))
                    .isInstanceOf(FormatException.class)
                    .hasMessageContaining("does not have it");
        }
    }

    @Test
    void readsAFileWithoutTensors() throws IOException {
        Path path = Files.write(folder.resolve("t"), LittleEndian.safetensors("{}", 0));
        try (SafetensorsFile file = SafetensorsFile.open(path)) {
            assertThat(file.tensors()).isEmpty();
        }
    }

    @Test
    void readsAFolderWithOneFile() throws IOException {
        Files.write(folder.resolve("model.safetensors"), TinyFiles.safetensors());
        try (ModelFile file = ModelFiles.open(folder)) {
            assertThat(file).isInstanceOf(SafetensorsFile.class);
            assertThat(file.path()).isEqualTo(folder);
            assertThat(file.tensors()).hasSize(3);
        }
    }

    @Test
    void readsShardsThroughTheIndex() throws IOException {
        writeShards();
        long arenas = MemoryLedger.arenas();
        try (SafetensorsFile file = SafetensorsFile.open(folder)) {
            assertThat(MemoryLedger.arenas()).isEqualTo(arenas + 2);
            assertThat(file.files())
                    .containsExactly(
                            folder.resolve("model-00001-of-00002.safetensors"),
                            folder.resolve("model-00002-of-00002.safetensors"));
            assertThat(file.tensors().keySet()).containsExactly("a", "b", "s", "w");
            TensorEntry w = file.tensor("w");
            assertThat(w.file()).isEqualTo(1);
            assertThat(file.data(w).toArray(ValueLayout.JAVA_BYTE)).containsExactly(0, 1, 2, 3);
            assertThat(file.metadata()).containsEntry("format", "pt").containsEntry("more", "yes");
            assertThat(file.withheld()).containsOnlyKeys("ids", "none");
        }
        assertThat(MemoryLedger.arenas()).isEqualTo(arenas);
    }

    @Test
    void readsShardsThroughLinksAsHuggingFacesCacheHasThem() throws IOException {
        writeShards();
        Path snapshot = Files.createDirectory(folder.resolve("snapshot"));
        for (String name :
                new String[] {
                    "model.safetensors.index.json",
                    "model-00001-of-00002.safetensors",
                    "model-00002-of-00002.safetensors"
                }) {
            Files.createSymbolicLink(snapshot.resolve(name), folder.resolve(name));
        }
        try (SafetensorsFile file = SafetensorsFile.open(snapshot)) {
            assertThat(file.tensors()).hasSize(4);
        }
    }

    private void writeShards() throws IOException {
        Files.write(folder.resolve("model-00001-of-00002.safetensors"), TinyFiles.safetensors());
        Files.write(
                folder.resolve("model-00002-of-00002.safetensors"),
                LittleEndian.safetensors(
                        """
                        {"__metadata__":{"format":"other","more":"yes"},
                         "w":{"dtype":"F32","shape":[1],"data_offsets":[0,4]}}\
                        """,
                        4));
        Files.writeString(
                folder.resolve("model.safetensors.index.json"),
                """
                {"metadata":{"total_size":42,"nested":[{"x":1}]},
                 "weight_map":{"a":"model-00001-of-00002.safetensors",
                               "ids":"model-00001-of-00002.safetensors",
                               "w":"model-00002-of-00002.safetensors"}}\
                """);
    }
}
