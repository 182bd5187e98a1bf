package dev.flagship.kernels.x86;

import java.io.ByteArrayOutputStream;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.HexFormat;
import java.util.List;

/**
 * Writes the goldens of {@link AssemblerTest}: the bytes of every case and what objdump prints for
 * them, a case a line. Run from the module's folder after a change of {@link EncoderCases}.
 */
final class EncoderGoldens {
    static final String RESOURCE = "encodings.txt";

    private EncoderGoldens() {}

    public static void main(String[] args) throws IOException {
        List<EncoderCases.Case> cases = EncoderCases.all();
        ByteArrayOutputStream code = new ByteArrayOutputStream();
        for (EncoderCases.Case c : cases) {
            code.write(HexFormat.of().parseHex(c.bytes()));
        }
        StringBuilder out = new StringBuilder();
        for (Disassembler.Line line : Disassembler.list(code.toByteArray())) {
            out.append(line.bytes()).append(' ').append(line.text()).append('\n');
        }
        Files.writeString(
                Path.of("src/test/resources/dev/flagship/kernels/x86", RESOURCE), out.toString());
    }
}
