package dev.flagship.kernels.x86;

import static dev.flagship.kernels.x86.Gp.*;
import static org.assertj.core.api.Assertions.assertThat;

import java.io.IOException;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.regex.Matcher;
import java.util.regex.Pattern;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.EnumSource;

@OnLinuxX86
class CodeMemoryTest {
    private static final Pattern MAPPING = Pattern.compile("([0-9a-f]+)-([0-9a-f]+) (\\S+) ");

    private static byte[] addOne() {
        Assembler asm = new Assembler();
        asm.endbr64();
        asm.mov(RAX, Mem.at(RDI));
        asm.add(RAX, 1);
        asm.mov(Mem.at(RDI), RAX);
        asm.ret();
        return asm.bytes();
    }

    private static CodeMemory placed(byte[] code) {
        return ((CodeMemory.Placed) CodeMemory.place(new LinuxPages(), code)).memory();
    }

    @Test
    void placedCodeRuns() {
        try (CodeMemory memory = placed(addOne());
                Arena arena = Arena.ofConfined()) {
            MemorySegment params = arena.allocate(ValueLayout.JAVA_LONG);
            params.set(ValueLayout.JAVA_LONG, 0, 41);
            Downcall.call(memory.entry(0), params.address());
            assertThat(params.get(ValueLayout.JAVA_LONG, 0)).isEqualTo(42);
        }
    }

    @Test
    void whatTheCodeLeavesOfItsPagesTraps() {
        byte[] code = addOne();
        try (CodeMemory memory = placed(code)) {
            byte[] page = memory.bytes().toArray(ValueLayout.JAVA_BYTE);
            assertThat(page).hasSize(Pages.PAGE).startsWith(code);
            for (int i = code.length; i < page.length; i++) {
                assertThat(page[i]).isEqualTo((byte) 0xCC);
            }
        }
    }

    @Test
    void codeIsNeverWritableAndHasClosedPagesOnBothSides() throws IOException {
        try (CodeMemory memory = placed(new byte[Pages.PAGE + 1])) {
            long start = memory.entry(0).address();
            long end = start + 2L * Pages.PAGE;
            assertThat(access(start)).isEqualTo("r-xp");
            assertThat(access(end - 1)).isEqualTo("r-xp");
            assertThat(access(start - 1)).isEqualTo("---p");
            assertThat(access(end)).isEqualTo("---p");
        }
    }

    private static String access(long address) throws IOException {
        for (String line : Files.readAllLines(Path.of("/proc/self/maps"))) {
            Matcher m = MAPPING.matcher(line);
            if (m.lookingAt()
                    && Long.compareUnsigned(address, Long.parseUnsignedLong(m.group(1), 16)) >= 0
                    && Long.compareUnsigned(address, Long.parseUnsignedLong(m.group(2), 16)) < 0) {
                return m.group(3);
            }
        }
        return "unmapped";
    }

    @Test
    void closingTwiceIsAsGoodAsOnce() {
        CodeMemory memory = placed(addOne());
        memory.close();
        memory.close();
    }

    @ParameterizedTest
    @EnumSource
    void aHostThatRefusesIsTold(Pages.Access refused) {
        RefusingPages pages = new RefusingPages(refused);
        assertThat(CodeMemory.place(pages, addOne()))
                .isEqualTo(
                        new CodeMemory.Refused(
                                refused == Pages.Access.NONE ? "mmap" : "mprotect",
                                RefusingPages.EACCES))
                .asString()
                .contains("errno 13", "forbids executable memory");
        assertThat(pages.held()).isZero();
    }

    @Test
    void errnoOfTheSystemIsKept() {
        // An address that is no page's beginning: EINVAL.
        assertThat(new LinuxPages().protect(1, Pages.PAGE, Pages.Access.NONE)).isEqualTo(22);
        assertThat(new LinuxPages().reserve(Long.MAX_VALUE / 4)).isEqualTo(-12);
    }
}
