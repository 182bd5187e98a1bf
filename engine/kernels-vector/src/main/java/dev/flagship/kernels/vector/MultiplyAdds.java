package dev.flagship.kernels.vector;

import dev.flagship.tensor.PeakLoop;

/**
 * Fused multiply-adds as the JVM compiles them: the limit of this rung, which may be far below that
 * of the processor.
 */
final class MultiplyAdds implements PeakLoop {
    @SuppressWarnings("UnusedVariable") // what nobody keeps, the compiler does not compute
    private volatile float sink;

    @Override
    public Kind kind() {
        return Kind.FP32;
    }

    @Override
    public String instructions() {
        return "fma of the Vector API, %d bits".formatted(Lanes.FLOATS.vectorBitSize());
    }

    @Override
    public long operations() {
        return PeakLoops.operationsPerRound();
    }

    @Override
    public void run(int rounds) {
        sink = PeakLoops.multiplyAdd(rounds);
    }

    @Override
    public void close() {}
}
