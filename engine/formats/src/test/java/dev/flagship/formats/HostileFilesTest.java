package dev.flagship.formats;

import static dev.flagship.hostile.PickleBytes.*;
import static org.assertj.core.api.Assertions.assertThat;

import dev.flagship.hostile.Format;
import dev.flagship.hostile.HostileCase;
import dev.flagship.hostile.HostileCases;
import dev.flagship.hostile.LittleEndian;
import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Map;
import java.util.Objects;
import java.util.Set;
import java.util.TreeSet;
import java.util.stream.Collectors;
import java.util.stream.IntStream;
import java.util.stream.Stream;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.MethodSource;

/** Each hand-made file is refused with its place, at a cost that its size allows. */
class HostileFilesTest {
    /** What torch.save writes, by pickletools' names: no other instruction may be known. */
    private static final String ALLOWED =
            "N\u0088\u0089KMJ\u008aGX)]}(t\u0085\u0086\u0087aesuqrhjcQRb.";

    @TempDir Path folder;

    @BeforeAll
    static void loadClasses(@TempDir Path folder) throws IOException {
        OpenedModels.loadClasses(folder);
    }

    static Stream<HostileCase> cases() {
        return HostileCases.of(
                Format.GGUF, Format.SAFETENSORS, Format.TORCH_ARCHIVE, Format.TORCH_STREAM);
    }

    @ParameterizedTest
    @MethodSource("cases")
    void refusesWithThePlace(HostileCase hostile) throws IOException {
        Path path = hostile.write(folder);
        long descriptors = OpenedModels.descriptors();
        FormatException error = OpenedModels.readAll(path);
        assertThat(error)
                .isNotNull()
                .hasMessageContainingAll(hostile.opened(), hostile.words())
                .hasMessageEndingWith(".");
        assertThat(OpenedModels.descriptors()).isEqualTo(descriptors);
    }

    @Test
    void knowsNoOtherInstruction() throws IOException {
        Set<Integer> refused = new TreeSet<>();
        for (int opcode = 0; opcode < 256; opcode++) {
            byte[] pickle = begun().op(opcode).repeat(64, 0).op(STOP).bytes();
            Path path = Files.write(folder.resolve("opcode.bin"), archive(pickle, Map.of()));
            FormatException error = OpenedModels.readAll(path);
            String message = String.valueOf(Objects.requireNonNull(error).getMessage());
            // The pickle begins behind the header of its member: 30 bytes and its name.
            String place = "data.pkl (byte " + (30 + "m/data.pkl".length() + 2) + ")";
            if (message.contains(place + ": opcode 0x%02x (".formatted(opcode))) {
                refused.add(opcode);
            }
        }
        Set<Integer> others =
                IntStream.range(0, 256)
                        .filter(opcode -> ALLOWED.indexOf(opcode) < 0)
                        .boxed()
                        .collect(Collectors.toSet());
        assertThat(refused).isEqualTo(others);
    }

    @Test
    void readsAGoodFileWithALargeEnd() throws IOException {
        byte[] good = withLargeEnd(archive(oneTensor(), storages(16)), 1, 0);
        assertThat(OpenedModels.readAll(Files.write(folder.resolve("good.bin"), good))).isNull();
    }

    @Test
    void refusesAFolderWithoutAModel() throws IOException {
        assertThat(OpenedModels.readAll(folder)).isNotNull().hasMessageContaining("it is empty");
        Files.writeString(folder.resolve("readme.txt"), "x", StandardCharsets.UTF_8);
        assertThat(OpenedModels.readAll(folder)).isNotNull().hasMessageContaining("no model.safe");
        Files.writeString(folder.resolve("pytorch_model.bin"), "x", StandardCharsets.UTF_8);
        assertThat(OpenedModels.readAll(folder)).isNotNull().hasMessageContaining("a PyTorch file");
    }

    @Test
    void refusesAFolderForAShard() throws IOException {
        Files.createDirectory(folder.resolve("folder.safetensors"));
        Files.writeString(
                folder.resolve("model.safetensors.index.json"),
                "{\"weight_map\":{\"a\":\"folder.safetensors\"}}");
        assertThat(OpenedModels.readAll(folder))
                .isNotNull()
                .hasMessageContaining("folder.safetensors");
    }

    @Test
    void readsWhatIsNoLie() throws IOException {
        byte[] good =
                LittleEndian.safetensors(
                        "{\"a\":{\"dtype\":\"F32\",\"shape\":[4],\"data_offsets\":[0,16]}}", 16);
        Path path = Files.write(folder.resolve("good.safetensors"), good);
        assertThat(OpenedModels.readAll(path)).isNull();
    }
}
