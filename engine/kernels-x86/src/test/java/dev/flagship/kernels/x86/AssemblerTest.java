package dev.flagship.kernels.x86;

import static dev.flagship.kernels.x86.Gp.*;
import static dev.flagship.kernels.x86.Vec.xmm;
import static dev.flagship.kernels.x86.Vec.ymm;
import static dev.flagship.kernels.x86.Vec.zmm;
import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;
import static org.junit.jupiter.api.Assumptions.assumeTrue;

import dev.flagship.base.InvalidArgumentException;
import java.io.ByteArrayOutputStream;
import java.io.IOException;
import java.io.InputStream;
import java.nio.charset.StandardCharsets;
import java.util.HexFormat;
import java.util.List;
import java.util.Objects;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.EnumSource;

class AssemblerTest {
    private static List<String> goldens() throws IOException {
        try (InputStream in =
                Objects.requireNonNull(
                        AssemblerTest.class.getResourceAsStream(EncoderGoldens.RESOURCE))) {
            return new String(in.readAllBytes(), StandardCharsets.UTF_8).lines().toList();
        }
    }

    @Test
    void everyFormHasTheBytesThatObjdumpReadAsIntended() throws IOException {
        List<String> actual = EncoderCases.all().stream().map(EncoderCases.Case::toString).toList();
        assertThat(actual).hasSizeGreaterThan(1500).containsExactlyElementsOf(goldens());
    }

    @Test
    void objdumpStillReadsTheGoldensSo() throws IOException {
        assumeTrue(Disassembler.present(), "no objdump here");
        List<String> goldens = goldens();
        ByteArrayOutputStream code = new ByteArrayOutputStream();
        for (String golden : goldens) {
            code.write(HexFormat.of().parseHex(golden.substring(0, golden.indexOf(' '))));
        }
        assertThat(
                        Disassembler.list(code.toByteArray()).stream()
                                .map(line -> line.bytes() + " " + line.text()))
                .containsExactlyElementsOf(goldens);
    }

    @ParameterizedTest
    @EnumSource
    void objdumpReadsEveryKernelToItsEnd(Isa isa) throws IOException {
        assumeTrue(Disassembler.present(), "no objdump here");
        for (Tuning tuning : Libraries.everyTile(isa)) {
            objdumpReadsEveryKernelToItsEnd(KernelLibrary.assemble(isa, tuning));
        }
    }

    private static void objdumpReadsEveryKernelToItsEnd(KernelLibrary.Image image)
            throws IOException {
        byte[] code = image.code().bytes();
        List<Disassembler.Line> lines = Disassembler.list(code);
        assertThat(lines).hasSizeGreaterThan(5_000);
        assertThat(lines).extracting(Disassembler.Line::text).noneMatch(t -> t.contains("(bad)"));
        long kernels = image.offsets().size();
        assertThat(lines.stream().filter(line -> line.text().equals("ret"))).hasSize((int) kernels);
        assertThat(lines.stream().filter(line -> line.text().equals("endbr64")))
                .hasSize((int) kernels);
        // Nobody else's registers: rsp moves by push and pop only, and only kept ones are pushed.
        assertThat(
                        lines.stream()
                                .filter(line -> line.text().startsWith("push"))
                                .map(Disassembler.Line::text)
                                .distinct())
                .containsExactlyInAnyOrder(
                        "push rbp", "push rbx", "push r12", "push r13", "push r14", "push r15");
    }

    /** An instruction that a processor lacks ends the process. */
    @ParameterizedTest
    @EnumSource(names = {"AVX2_VNNI", "AVX2"})
    void narrowKernelsKeepToTheirInstructions(Isa isa) throws IOException {
        assumeTrue(Disassembler.present(), "no objdump here");
        for (Tuning tuning : Libraries.everyTile(isa)) {
            byte[] code = KernelLibrary.assemble(isa, tuning).code().bytes();
            narrowKernelsKeepToTheirInstructions(isa, Disassembler.list(code));
        }
    }

    private static void narrowKernelsKeepToTheirInstructions(
            Isa isa, List<Disassembler.Line> lines) {
        assertThat(lines)
                .noneMatch(line -> line.bytes().startsWith("62")) // EVEX
                .noneMatch(line -> line.text().startsWith("kmov"));
        assertThat(lines.stream().anyMatch(line -> line.text().startsWith("{vex} vpdpbusd")))
                .isEqualTo(isa == Isa.AVX2_VNNI);
        assertThat(lines.stream().anyMatch(line -> line.text().contains("vpdpbusd")))
                .isEqualTo(isa == Isa.AVX2_VNNI);
        assertThat(lines.stream().anyMatch(line -> line.text().startsWith("vpmaddubsw")))
                .isEqualTo(isa == Isa.AVX2);
    }

    @Test
    void shortDisplacementsCountOperandSizes() {
        Assembler asm = new Assembler();
        asm.op(VectorOp.VADDPS, zmm(1), zmm(2), Mem.at(RAX, 127 * 64));
        asm.op(VectorOp.VADDPS, zmm(1), zmm(2), Mem.at(RAX, 127 * 4).broadcasting());
        assertThat(asm.bytes())
                .hasSize(14)
                .endsWith(127)
                .satisfies(b -> assertThat(b[6]).isEqualTo((byte) 127));
    }

    @Test
    void jumpsReachBothWaysAndFar() {
        Assembler asm = new Assembler();
        Label back = new Label();
        Label ahead = new Label();
        asm.bind(back);
        asm.jcc(Condition.BELOW, ahead);
        asm.jmp(back);
        for (int i = 0; i < 200; i++) {
            asm.int3();
        }
        asm.jcc(Condition.NOT_EQUAL, back);
        asm.bind(ahead);
        asm.ret();
        byte[] code = asm.bytes();
        assertThat(code).startsWith(0x0F, 0x82, 2 + 200 + 6, 0, 0, 0, 0xEB, -8);
        assertThat(code).endsWith(0x0F, 0x85, -214, -1, -1, -1, 0xC3);
    }

    @Test
    void refusesCodeWithJumpsIntoNowhere() {
        Assembler asm = new Assembler();
        asm.jmp(new Label());
        assertThatThrownBy(asm::bytes).isInstanceOf(InvalidArgumentException.class);
    }

    @Test
    void refusesWhatCannotBeEncoded() {
        Assembler asm = new Assembler();
        assertRefused(() -> asm.op(VectorOp.VADDPS, ymm(16), ymm(0), ymm(0)));
        assertRefused(() -> asm.op(VectorOp.VPABSB, zmm(0), zmm(1)));
        assertRefused(() -> asm.op(VectorOp.VADDPS, zmm(0), zmm(1)));
        assertRefused(() -> asm.op(VectorOp.VMOVUPS, zmm(0), Mem.at(RAX).broadcasting()));
        assertRefused(() -> asm.store(VectorOp.VMOVUPS, Mem.at(RAX), zmm(0)));
        assertRefused(() -> asm.store(VectorOp.VMOVUPS_STORE, Mem.at(RAX), ymm(0), ymm(1)));
        assertRefused(() -> asm.op(VectorOp.VPSLLD, zmm(0), xmm(1)));
        assertRefused(() -> Mem.at(RAX, RSP, 1));
        assertRefused(() -> Mem.at(RAX, RCX, 3));
        assertRefused(() -> zmm(32));
        assertRefused(() -> new KMask(8));
        assertRefused(() -> zmm(0).merging(new KMask(0)));
    }

    private static void assertRefused(org.assertj.core.api.ThrowableAssert.ThrowingCallable call) {
        assertThatThrownBy(call).isInstanceOf(InvalidArgumentException.class);
    }
}
