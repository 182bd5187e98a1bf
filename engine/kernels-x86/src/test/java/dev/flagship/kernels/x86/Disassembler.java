package dev.flagship.kernels.x86;

import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.regex.Matcher;
import java.util.regex.Pattern;

/** GNU objdump, where the machine has it. */
final class Disassembler {
    private static final Pattern LINE =
            Pattern.compile("\\s*([0-9a-f]+):\\t((?:[0-9a-f]{2} )+)\\s*(?:\\t(.*))?");

    private Disassembler() {}

    /** One line of a listing. */
    record Line(int offset, String bytes, String text) {}

    static boolean present() {
        try {
            Process process = new ProcessBuilder("objdump", "--version").start();
            process.getInputStream().readAllBytes();
            return process.waitFor() == 0;
        } catch (IOException e) {
            return false;
        } catch (InterruptedException e) {
            Thread.currentThread().interrupt();
            return false;
        }
    }

    static List<Line> list(byte[] code) throws IOException {
        Path file = Files.createTempFile("code", ".bin");
        try {
            Files.write(file, code);
            Process process =
                    new ProcessBuilder(
                                    "objdump",
                                    "-D",
                                    "-b",
                                    "binary",
                                    "-m",
                                    "i386:x86-64",
                                    "-M",
                                    "intel",
                                    "--insn-width=16",
                                    file.toString())
                            .redirectErrorStream(true)
                            .start();
            String output =
                    new String(process.getInputStream().readAllBytes(), StandardCharsets.UTF_8);
            List<Line> lines = new ArrayList<>();
            for (String row : output.lines().toList()) {
                Matcher m = LINE.matcher(row);
                if (m.matches()) {
                    lines.add(
                            new Line(
                                    Integer.parseInt(m.group(1), 16),
                                    m.group(2).replace(" ", ""),
                                    m.group(3) == null ? "" : normal(m.group(3))));
                }
            }
            return lines;
        } finally {
            Files.delete(file);
        }
    }

    /** One space between words, no remarks. */
    private static String normal(String text) {
        return text.replaceFirst("\\s+[#<].*", "").strip().replaceAll("\\s+", " ");
    }
}
