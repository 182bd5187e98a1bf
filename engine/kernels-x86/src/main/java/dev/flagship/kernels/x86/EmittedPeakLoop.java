package dev.flagship.kernels.x86;

import dev.flagship.tensor.PeakLoop;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.util.Optional;

/** A {@link PeakKernel} in memory of its own. */
final class EmittedPeakLoop implements PeakLoop {
    private final PeakKernel kernel;
    private final CodeMemory memory;

    private EmittedPeakLoop(PeakKernel kernel, CodeMemory memory) {
        this.kernel = kernel;
        this.memory = memory;
    }

    /** Empty where the system gives no executable memory. */
    static Optional<EmittedPeakLoop> place(Pages pages, PeakKernel kernel) {
        return switch (CodeMemory.place(pages, kernel.assemble())) {
            case CodeMemory.Placed placed ->
                    Optional.of(new EmittedPeakLoop(kernel, placed.memory()));
            case CodeMemory.Refused _ -> Optional.empty();
        };
    }

    @Override
    public Kind kind() {
        return kernel.kind();
    }

    @Override
    public String instructions() {
        return kernel.instructions();
    }

    @Override
    public long operations() {
        return kernel.operations();
    }

    @Override
    public void run(int rounds) {
        try (Arena arena = Arena.ofConfined()) { // a shared one's end would stop all threads
            MemorySegment block = arena.allocate(PeakKernel.BYTES, 64);
            fill(block, PeakKernel.WEIGHTS, 7);
            fill(block, PeakKernel.ACTIVATIONS, 5);
            run(block, rounds);
        }
    }

    /** Numbers of all types that are neither denormal nor infinite, some of whose bits differ. */
    private static void fill(MemorySegment block, int offset, int step) {
        for (int i = 0; i < 16; i++) {
            int high = 0x3C + i * step % 4;
            int low = i * step % 0x70;
            block.set(
                    ValueLayout.JAVA_INT, offset + 4 * i, high << 24 | low << 16 | high << 8 | low);
        }
    }

    /**
     * The same with operands of one's own.
     *
     * @param block as {@link PeakKernel} lays it out; its sums change
     */
    void run(MemorySegment block, int rounds) {
        PeakKernel.prepare(block, rounds);
        Downcall.call(memory.entry(0), block.address());
    }

    @Override
    public void close() {
        memory.close();
    }
}
