package dev.flagship.kernels.x86;

import static dev.flagship.kernels.x86.Gp.*;
import static dev.flagship.kernels.x86.VectorOp.*;

import dev.flagship.tensor.BandMatrix;
import dev.flagship.tensor.DType;
import dev.flagship.tensor.OffHeap;
import dev.flagship.tensor.SerialTeam;
import dev.flagship.tensor.Shape;
import dev.flagship.tensor.Tensor;
import java.lang.foreign.Arena;
import java.lang.foreign.FunctionDescriptor;
import java.lang.foreign.Linker;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.lang.invoke.MethodHandle;
import java.util.Arrays;
import java.util.List;
import java.util.Random;

/**
 * Prints how near the kernels come to what one thread of this machine can read and multiply. By
 * hand: {@code java --enable-native-access=ALL-UNNAMED … ProductSpeed [isa [prefetch]]}. Times are
 * those that the processor spent on the thread, the best and the median of some runs, the limits
 * measured between them.
 */
final class ProductSpeed {
    private static final int RUNS = 9;
    private static final long IN_CACHE = 768 << 10;
    private static final long IN_MEMORY = 128 << 20;
    private static final long BYTES_PER_RUN = 256 << 20;

    private static final MethodHandle CLOCK =
            Linker.nativeLinker()
                    .downcallHandle(
                            Linker.nativeLinker().defaultLookup().findOrThrow("clock_gettime"),
                            FunctionDescriptor.of(
                                    ValueLayout.JAVA_INT,
                                    ValueLayout.JAVA_INT,
                                    ValueLayout.ADDRESS));

    private final Isa isa;
    private final Random random = new Random(1);
    private final CodeMemory limits;
    private final int multiplyAt;
    private final KernelLibrary library;

    private ProductSpeed(Isa isa, int prefetch) {
        this.isa = isa;
        byte[] read = read();
        byte[] multiply = multiply();
        byte[] both = Arrays.copyOf(read, read.length + multiply.length);
        System.arraycopy(multiply, 0, both, read.length, multiply.length);
        multiplyAt = read.length;
        limits = ((CodeMemory.Placed) CodeMemory.place(new LinuxPages(), both)).memory();
        Tuning tuning = Tuning.usual(isa).withPrefetch(prefetch);
        library =
                ((KernelLibrary.Loaded) KernelLibrary.load(new LinuxPages(), isa, tuning))
                        .library();
    }

    public static void main(String[] args) {
        Isa isa = args.length == 0 ? Isa.AVX512_VNNI : Isa.of(args[0]).orElseThrow();
        int prefetch = args.length < 2 ? Tuning.usual(isa).prefetch() : Integer.parseInt(args[1]);
        ProductSpeed speed = new ProductSpeed(isa, prefetch);
        for (int cols : new int[] {2048, 576}) {
            for (DType type : speed.typesFor(cols)) {
                speed.gemv(type, cols, IN_CACHE);
                speed.gemv(type, cols, IN_MEMORY);
            }
        }
        int[][] shapes = {
            {2048, 2048, 512}, {1536, 576, 512}, {576, 1536, 512}, {1536, 576, 8}, {2048, 2048, 8}
        };
        for (int[] shape : shapes) {
            for (DType type : speed.typesFor(shape[1])) {
                speed.gemm(type, shape[0], shape[1], shape[2]);
            }
        }
    }

    private List<DType> typesFor(int cols) {
        return ProductKernel.TYPES.stream()
                .filter(type -> cols % type.blockElements() == 0)
                .toList();
    }

    /** Reads four streams of params[1] pieces of 256 bytes, params[2] apart, from params[0]. */
    private byte[] read() {
        Assembler asm = new Assembler();
        asm.mov(RSI, Mem.at(RDI));
        asm.mov(RCX, Mem.at(RDI, 8));
        asm.mov(RDX, Mem.at(RDI, 16));
        asm.lea(RAX, Mem.at(RDX, RDX, 2));
        Label loop = new Label();
        asm.bind(loop);
        for (int i = 0; i < 4; i++) {
            Mem[] streams = {
                Mem.at(RSI), Mem.at(RSI, RDX, 1), Mem.at(RSI, RDX, 2), Mem.at(RSI, RAX, 1)
            };
            for (int s = 0; s < 4; s++) {
                Mem at = streams[s].plus(64 * i);
                Vec to = isa.register(4 * s + i);
                for (int part = 0; part < 64; part += isa.bytes()) {
                    asm.op(VPXOR, to, to, at.plus(part));
                }
                asm.prefetcht0(at.plus(3072));
            }
        }
        asm.add(RSI, 256);
        asm.sub(RCX, 1);
        asm.jcc(Condition.NOT_EQUAL, loop);
        asm.vzeroupper();
        asm.ret();
        return asm.bytes();
    }

    /** params[1] times 24 products on registers, of 8 bits where that makes a difference. */
    private byte[] multiply() {
        Assembler asm = new Assembler();
        asm.mov(RCX, Mem.at(RDI, 8));
        Label loop = new Label();
        asm.bind(loop);
        for (int i = 0; i < 24; i++) {
            Vec to = isa.register(i % 12);
            Vec product = isa.register(12);
            Vec a = isa.register(14);
            Vec b = isa.register(15);
            if (isa.vnni) {
                asm.op(VPDPBUSD, to, a, b);
            } else {
                asm.op(VPSIGNB, product, a, b);
                asm.op(VPMADDUBSW, product, a, product);
                asm.op(VPMADDWD, product, product, isa.register(13));
                asm.op(VPADDD, to, to, product);
            }
        }
        asm.sub(RCX, 1);
        asm.jcc(Condition.NOT_EQUAL, loop);
        asm.vzeroupper();
        asm.ret();
        return asm.bytes();
    }

    private static double seconds(Runnable work) {
        long before = processorNanos();
        work.run();
        return (processorNanos() - before) / 1e9;
    }

    /** Time on a processor of this thread: man 3 clock_gettime, CLOCK_THREAD_CPUTIME_ID. */
    private static long processorNanos() {
        try (Arena arena = Arena.ofConfined()) {
            MemorySegment time = arena.allocate(16, 8);
            int result = (int) CLOCK.invokeExact(3, time);
            return result == 0
                    ? time.get(ValueLayout.JAVA_LONG, 0) * 1_000_000_000
                            + time.get(ValueLayout.JAVA_LONG, 8)
                    : 0;
        } catch (Throwable t) {
            throw new IllegalStateException(t);
        }
    }

    private void limit(int at, long address, long count) {
        try (Arena arena = Arena.ofConfined()) {
            MemorySegment params = arena.allocate(24, 8);
            params.setAtIndex(ValueLayout.JAVA_LONG, 0, address);
            params.setAtIndex(ValueLayout.JAVA_LONG, 1, count);
            params.setAtIndex(ValueLayout.JAVA_LONG, 2, count * 256);
            Downcall.call(limits.entry(at), params.address());
        }
    }

    private Tensor numbers(OffHeap memory, int rows, int cols) {
        Tensor x = Tensor.of(Shape.of(rows, cols), memory.segment());
        for (int row = 0; row < rows; row++) {
            for (int k = 0; k < cols; k++) {
                x.set(row, k, (float) random.nextGaussian());
            }
        }
        return x;
    }

    private static String figures(double[] product, double[] limit, String unit) {
        Arrays.sort(product);
        Arrays.sort(limit);
        return "best %.1f, median %.1f %s; limit %.1f, %.1f; share %.0f %%, %.0f %%"
                .formatted(
                        product[RUNS - 1],
                        product[RUNS / 2],
                        unit,
                        limit[RUNS - 1],
                        limit[RUNS / 2],
                        100 * product[RUNS - 1] / limit[RUNS - 1],
                        100 * product[RUNS / 2] / limit[RUNS / 2]);
    }

    private void gemv(DType type, int cols, long weights) {
        long row = BandMatrix.bandBytes(type, cols) + BandMatrix.bandScaleBytes(type, cols);
        int rows = (int) (weights / row) / 4 * 4 * BandMatrix.BAND;
        long numberBytes = BandMatrix.numberBytes(type, rows, cols);
        long scaleBytes = BandMatrix.scaleBytes(type, rows, cols);
        double[] product = new double[RUNS];
        double[] limit = new double[RUNS];
        try (OffHeap numbers = OffHeap.allocate(numberBytes);
                OffHeap scales = OffHeap.allocate(scaleBytes);
                OffHeap xs = OffHeap.allocate(4L * cols);
                OffHeap outs = OffHeap.allocate(4L * rows);
                SerialTeam team = new SerialTeam();
                Int8Products products = new Int8Products(team, library, ProductKernel.TYPES)) {
            numbers.segment().fill((byte) 0x35);
            scales.segment().fill((byte) 0x11);
            List<BandMatrix> w =
                    List.of(
                            new BandMatrix(
                                    "m", type, rows, cols, numbers.segment(), scales.segment()));
            Tensor x = numbers(xs, 1, cols);
            List<Tensor> out = List.of(Tensor.of(Shape.of(1, rows), outs.segment()));
            for (int run = 0; run < RUNS; run++) {
                long repeats = Math.max(1, BYTES_PER_RUN / weights);
                double time =
                        seconds(() -> {
                            for (int i = 0; i < repeats; i++) {
                                products.project(x, w, out);
                            }
                        });
                product[run] = (numberBytes + scaleBytes) * repeats / time / 1e9;
                long pieces = numberBytes / 1024;
                time =
                        seconds(() -> {
                            for (int i = 0; i < repeats; i++) {
                                limit(0, numbers.segment().address(), pieces);
                            }
                        });
                limit[run] = pieces * 1024 * repeats / time / 1e9;
            }
        }
        System.out.printf(
                "gemv %s [%d, %d], %d KiB: %s%n",
                type, rows, cols, weights >> 10, figures(product, limit, "GB/s"));
    }

    private void gemm(DType type, int rows, int cols, int count) {
        double[] product = new double[RUNS];
        double[] limit = new double[RUNS];
        double operations = 2.0 * rows * cols * count;
        int repeats = (int) Math.max(1, 2e9 / operations);
        try (OffHeap numbers = OffHeap.allocate(BandMatrix.numberBytes(type, rows, cols));
                OffHeap scales = OffHeap.allocate(BandMatrix.scaleBytes(type, rows, cols));
                OffHeap xs = OffHeap.allocate(4L * cols * count);
                OffHeap outs = OffHeap.allocate(4L * rows * count);
                SerialTeam team = new SerialTeam();
                Int8Products products = new Int8Products(team, library, ProductKernel.TYPES)) {
            numbers.segment().fill((byte) 0x35);
            scales.segment().fill((byte) 0x11);
            List<BandMatrix> w =
                    List.of(
                            new BandMatrix(
                                    "m", type, rows, cols, numbers.segment(), scales.segment()));
            Tensor x = numbers(xs, count, cols);
            List<Tensor> out = List.of(Tensor.of(Shape.of(count, rows), outs.segment()));
            for (int run = 0; run < RUNS; run++) {
                double time =
                        seconds(() -> {
                            for (int i = 0; i < repeats; i++) {
                                products.project(x, w, out);
                            }
                        });
                product[run] = operations * repeats / time / 1e9;
                long rounds = 200_000;
                limit[run] =
                        rounds
                                * 24
                                * 2
                                * isa.bytes()
                                / seconds(() -> limit(multiplyAt, 0, rounds))
                                / 1e9;
            }
        }
        System.out.printf(
                "gemm %s [%d, %d] x %d: %s%n",
                type, rows, cols, count, figures(product, limit, "GOP/s"));
    }
}
