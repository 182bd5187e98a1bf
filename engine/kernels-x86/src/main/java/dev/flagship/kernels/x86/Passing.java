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

    /** All that a library has. */
    static Passing all(KernelLibrary library) {
        return new Passing(
                library.types(),
                library.floatTypes(),
                Set.copyOf(AttentionSelfTest.TYPES),
                EnumSet.allOf(PointwiseKernel.class));
    }

    /** Runs the self-tests. */
    static Passing test(KernelLibrary library) {
        return new Passing(
                SelfTest.passing(library),
                FloatSelfTest.passing(library),
                AttentionSelfTest.passing(library),
                PointwiseSelfTest.passing(library));
    }

    /** What a library has and is not among these, each named for a warning. */
    List<String> missing(KernelLibrary library) {
        Passing all = all(library);
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
