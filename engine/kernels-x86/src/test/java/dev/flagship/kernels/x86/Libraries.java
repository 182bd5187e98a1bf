package dev.flagship.kernels.x86;

import static org.junit.jupiter.api.Assumptions.assumeTrue;

import java.util.List;
import java.util.stream.IntStream;

/** Placed kernels for tests, which are skipped where the processor cannot run them. */
final class Libraries {
    private Libraries() {}

    static KernelLibrary load() {
        return load(Isa.AVX512_VNNI);
    }

    static KernelLibrary load(Isa isa) {
        return load(new LinuxPages(), isa);
    }

    static KernelLibrary load(Pages pages) {
        return load(pages, Isa.AVX512_VNNI);
    }

    static KernelLibrary load(Pages pages, Isa isa) {
        return load(pages, isa, Tuning.usual(isa));
    }

    static KernelLibrary load(Pages pages, Isa isa, Tuning tuning) {
        assumeTrue(runs(isa), "no " + isa.tag + " here");
        return ((KernelLibrary.Loaded) KernelLibrary.load(pages, isa, tuning)).library();
    }

    /** Tunings that between them have every tile of an instruction set, the usual ones first. */
    static List<Tuning> everyTile(Isa isa) {
        List<List<Tile>> kinds = List.of(Tile.inPlace(isa), Tile.unpacked(isa), Tile.floats(isa));
        int most = kinds.stream().mapToInt(List::size).max().orElseThrow();
        return IntStream.range(0, most)
                .mapToObj(i ->
                        Tuning.usual(isa)
                                .withInPlace(turn(kinds.get(0), i))
                                .withUnpacked(turn(kinds.get(1), i))
                                .withFloats(turn(kinds.get(2), i)))
                .toList();
    }

    private static Tile turn(List<Tile> tiles, int i) {
        return tiles.get(i % tiles.size());
    }

    /** Whether this processor runs such kernels. */
    static boolean runs(Isa isa) {
        return isa.lacking(features()).isEmpty();
    }

    static CpuFeatures features() {
        return ((CpuProbe.Found) CpuProbe.run(new LinuxPages())).features();
    }
}
