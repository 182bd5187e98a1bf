package dev.flagship.formats;

import dev.flagship.tensor.DType;
import java.util.Arrays;
import java.util.List;
import org.jspecify.annotations.Nullable;

/**
 * What a pickle of a PyTorch file may describe. Descriptions only: no value of it is ever run, and
 * none is of a class that the file names.
 */
sealed interface Pickled {
    record None() implements Pickled {}

    record Flag(boolean value) implements Pickled {}

    record Whole(long value) implements Pickled {}

    record Real(double value) implements Pickled {}

    record Text(String value) implements Pickled {}

    /** A tuple; {@code torch.Size} is one too. */
    record Tuple(List<Pickled> items) implements Pickled {
        static final Tuple EMPTY = new Tuple(List.of());
    }

    /** What may be called, and only as {@link Unpickler} says. */
    enum Callable implements Pickled {
        ORDERED_DICT("collections.OrderedDict"),
        TENSOR("torch._utils._rebuild_tensor_v2"),
        PARAMETER("torch._utils._rebuild_parameter"),
        SIZE("torch.Size");

        final String title;

        Callable(String title) {
            this.title = title;
        }

        static @Nullable Callable of(String title) {
            for (Callable callable : values()) {
                if (callable.title.equals(title)) {
                    return callable;
                }
            }
            return null;
        }
    }

    /** PyTorch's storage classes, which only say how wide an element is. */
    enum ElementType implements Pickled {
        FLOAT(4, DType.F32),
        HALF(2, DType.F16),
        B_FLOAT16(2, DType.BF16),
        DOUBLE(8, null),
        LONG(8, null),
        INT(4, null),
        SHORT(2, null),
        CHAR(1, null),
        BYTE(1, null),
        BOOL(1, null);

        final int bytes;

        /** The same as a type of weights, or null if none is of it. */
        final @Nullable DType type;

        ElementType(int bytes, @Nullable DType type) {
            this.bytes = bytes;
            this.type = type;
        }

        static @Nullable ElementType of(String title) {
            return switch (title) {
                case "torch.FloatStorage" -> FLOAT;
                case "torch.HalfStorage" -> HALF;
                case "torch.BFloat16Storage" -> B_FLOAT16;
                case "torch.DoubleStorage" -> DOUBLE;
                case "torch.LongStorage" -> LONG;
                case "torch.IntStorage" -> INT;
                case "torch.ShortStorage" -> SHORT;
                case "torch.CharStorage" -> CHAR;
                case "torch.ByteStorage" -> BYTE;
                case "torch.BoolStorage" -> BOOL;
                default -> null;
            };
        }

        /** As PyTorch's dtype is called. */
        String title() {
            return switch (this) {
                case FLOAT -> "float32";
                case HALF -> "float16";
                case B_FLOAT16 -> "bfloat16";
                case DOUBLE -> "float64";
                case LONG -> "int64";
                case INT -> "int32";
                case SHORT -> "int16";
                case CHAR -> "int8";
                case BYTE -> "uint8";
                case BOOL -> "bool";
            };
        }
    }

    /**
     * A piece of memory that tensors look at.
     *
     * @param key names it within its file
     * @param elements as many as it is said to have
     */
    record Storage(ElementType type, String key, long elements) implements Pickled {}

    /**
     * A view of a storage, not yet compared with it.
     *
     * @param offset in elements
     */
    record View(Storage storage, long offset, List<Long> shape, List<Long> strides)
            implements Pickled {}

    /** A list, which can still grow; small while it is empty, for a file may ask for millions. */
    final class Items implements Pickled {
        private static final Pickled[] NONE = {};

        private Pickled[] items = NONE;
        private int size;

        void add(Pickled item) {
            if (size == items.length) {
                items = Arrays.copyOf(items, Math.max(4, size * 2));
            }
            items[size++] = item;
        }

        int size() {
            return size;
        }

        Pickled get(int index) {
            return items[index];
        }
    }

    /** A dictionary: keys and values in turn, as they came. */
    record Mapping(Items entries) implements Pickled {
        Mapping() {
            this(new Items());
        }

        int size() {
            return entries.size() / 2;
        }

        Pickled key(int index) {
            return entries.get(2 * index);
        }

        Pickled value(int index) {
            return entries.get(2 * index + 1);
        }
    }
}
