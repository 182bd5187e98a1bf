package dev.flagship.formats;

import dev.flagship.tensor.DType;
import java.util.Optional;

/** The numbers by which GGUF names types of tensors: those of {@code ggml.h} as of 2026. */
final class GgmlTypes {
    private GgmlTypes() {}

    static int number(DType type) {
        return switch (type) {
            case F32 -> 0;
            case F16 -> 1;
            case Q4_0 -> 2;
            case Q4_1 -> 3;
            case Q5_0 -> 6;
            case Q5_1 -> 7;
            case Q8_0 -> 8;
            case Q2_K -> 10;
            case Q3_K -> 11;
            case Q4_K -> 12;
            case Q5_K -> 13;
            case Q6_K -> 14;
            case IQ2_XXS -> 16;
            case IQ2_XS -> 17;
            case IQ3_XXS -> 18;
            case IQ1_S -> 19;
            case IQ4_NL -> 20;
            case IQ3_S -> 21;
            case IQ2_S -> 22;
            case IQ4_XS -> 23;
            case IQ1_M -> 29;
            case BF16 -> 30;
            case MXFP4 -> 39;
        };
    }

    /** Empty for a type that this version does not read. */
    static Optional<DType> of(int number) {
        for (DType type : DType.values()) {
            if (number(type) == number) {
                return Optional.of(type);
            }
        }
        return Optional.empty();
    }

    /** What ggml calls a type that is not read; empty for numbers that are free or withdrawn. */
    static Optional<String> unread(int number) {
        return Optional.ofNullable(
                switch (number) {
                    case 9 -> "Q8_1";
                    case 15 -> "Q8_K";
                    case 24 -> "I8";
                    case 25 -> "I16";
                    case 26 -> "I32";
                    case 27 -> "I64";
                    case 28 -> "F64";
                    case 34 -> "TQ1_0";
                    case 35 -> "TQ2_0";
                    case 40 -> "NVFP4";
                    case 41 -> "Q1_0";
                    default -> null;
                });
    }
}
