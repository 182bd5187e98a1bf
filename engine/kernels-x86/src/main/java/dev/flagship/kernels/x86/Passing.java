package dev.flagship.kernels.x86;

import dev.flagship.tensor.DType;
import java.util.ArrayList;
import java.util.Collections;
import java.util.EnumSet;
import java.util.List;
import java.util.Set;

/**
 * The kernels of a library that give right numbers.
 *
 * @param products types of weights, in {@code fast} numerics
 * @param floats types of weights, in {@code exact} numerics or of numbers with a point
 * @param attention types of keys and values
 */
record Passing(
        Set<DType> products,
        Set<DType> floats,
        Set<DType> attention,
        Set<PointwiseKernel> pointwise) {

    Passing {
        products = Set.copyOf(products);
        floats = Set.copyOf(floats);
        attention = Set.copyOf(attention);
        pointwise = Set.copyOf(pointwise);
    }

    /** All that an instruction set has. */
    static Passing all(Isa isa) {
        Set<DType> products = EnumSet.noneOf(DType.class);
        for (DType type : DType.values()) {
            if (isa.multiplies(type)) {
                products.add(type);
            }
        }
        return new Passing(
                products,
                isa.multipliesFloats() ? FloatProducts.TYPES : Set.of(),
                isa.attends() ? Set.copyOf(AttentionSelfTest.TYPES) : Set.of(),
                isa.hasPointwise() ? EnumSet.allOf(PointwiseKernel.class) : Set.of());
    }

    /** Runs the self-tests. */
    static Passing test(KernelLibrary library) {
        Isa isa = library.isa();
        return new Passing(
                SelfTest.passing(library),
                isa.multipliesFloats() ? FloatSelfTest.passing(library) : Set.of(),
                isa.attends() ? AttentionSelfTest.passing(library) : Set.of(),
                isa.hasPointwise() ? PointwiseSelfTest.passing(library) : Set.of());
    }

    /** What an instruction set has and is not among these, each named for a warning. */
    List<String> missing(Isa isa) {
        Passing all = all(isa);
        List<String> names = new ArrayList<>();
        for (DType type : DType.values()) {
            if (all.products.contains(type) && !products.contains(type)) {
                names.add(type.toString());
            }
            if (all.floats.contains(type) && !floats.contains(type)) {
                names.add(type.quantized() ? type + " in exact numerics" : type.toString());
            }
            if (all.attention.contains(type) && !attention.contains(type)) {
                names.add("attention to " + type);
            }
        }
        for (PointwiseKernel kernel : PointwiseKernel.values()) {
            if (all.pointwise.contains(kernel) && !pointwise.contains(kernel)) {
                names.add(kernel.toString());
            }
        }
        return Collections.unmodifiableList(names);
    }
}
