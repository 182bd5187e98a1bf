package dev.flagship.formats;

import dev.flagship.formats.Pickled.Callable;
import dev.flagship.formats.Pickled.ElementType;
import dev.flagship.formats.Pickled.Flag;
import dev.flagship.formats.Pickled.Items;
import dev.flagship.formats.Pickled.Mapping;
import dev.flagship.formats.Pickled.None;
import dev.flagship.formats.Pickled.Real;
import dev.flagship.formats.Pickled.Storage;
import dev.flagship.formats.Pickled.Text;
import dev.flagship.formats.Pickled.Tuple;
import dev.flagship.formats.Pickled.View;
import dev.flagship.formats.Pickled.Whole;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.Collections;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import org.jspecify.annotations.Nullable;

/**
 * Reads the pickles that {@code torch.save} writes, and no others: a fixed list of the opcodes of
 * Python's pickle protocol 2 (pickletools.py describes them), which make {@link Pickled}
 * descriptions. A pickle is a program; this machine knows no instruction that imports, makes or
 * calls anything of the file's choice, and refuses each other one with its name and offset.
 *
 * <p>Shared values stay shared and are never unfolded, so that a value costs no more memory than
 * the bytes that describe it allow. One thread.
 */
final class Unpickler {
    /** Open marks; what {@code torch.save} writes takes four. */
    static final int MAX_DEPTH = 64;

    /** Values that wait; pickle writes containers in batches of 1,000. */
    static final int MAX_STACK = 65_536;

    static final String REMEDY =
            "Only tensors are read from PyTorch files, and nothing in them is run: save the plain state_dict again, or use safetensors.";

    private static final int MAX_LINE = 256;
    private static final int PROTOCOL = 2;
    private static final None NONE = new None();
    private static final Flag TRUE = new Flag(true);
    private static final Flag FALSE = new Flag(false);

    private final HeaderReader in;
    private final Map<String, Storage> storages = new LinkedHashMap<>();
    private Pickled[] stack = new Pickled[64];
    private int height;
    private final int[] marks = new int[MAX_DEPTH];
    private int depth;
    private @Nullable Pickled[] memo = new Pickled[64];
    private int opcodeAt;

    /**
     * @param in at the pickle's first byte
     */
    Unpickler(HeaderReader in) {
        this.in = in;
    }

    /** Storages that the pickle named, by key. */
    Map<String, Storage> storages() {
        return Collections.unmodifiableMap(storages);
    }

    /**
     * Runs to the end of one pickle and leaves the reader behind it.
     *
     * @throws FormatException if it holds anything but plain values and tensors
     */
    Pickled read() {
        opcodeAt = in.position();
        int opcode = in.int8() & 0xFF;
        int protocol = opcode == 0x80 ? in.int8() & 0xFF : -1;
        if (protocol != PROTOCOL) {
            throw in.bad(
                    opcodeAt,
                    opcode == 0x80
                            ? "pickle protocol " + protocol + ", expected " + PROTOCOL
                            : "no pickle begins with the byte " + opcode,
                    "Save it again by torch.save without pickle_protocol, or use safetensors.");
        }
        while (true) {
            opcodeAt = in.position();
            opcode = in.int8() & 0xFF;
            if (opcode == '.') {
                Pickled result = pop();
                if (height != 0 || depth != 0) {
                    throw bad(height + " values and " + depth + " marks are left at its end");
                }
                return result;
            }
            run(opcode);
        }
    }

    private void run(int opcode) {
        switch (opcode) {
            case 'N' -> push(NONE);
            case 0x88 -> push(TRUE);
            case 0x89 -> push(FALSE);
            case 'K' -> push(new Whole(in.int8() & 0xFF));
            case 'M' -> push(new Whole(in.int16() & 0xFFFF));
            case 'J' -> push(new Whole(in.int32()));
            case 0x8A -> push(new Whole(longInteger()));
            case 'G' -> push(new Real(Double.longBitsToDouble(Long.reverseBytes(in.int64()))));
            case 'X' -> push(new Text(in.text(in.int32())));
            case ')' -> push(Tuple.EMPTY);
            case ']' -> push(new Items());
            case '}' -> push(new Mapping());
            case '(' -> mark();
            case 't' -> push(new Tuple(List.of(popToMark())));
            case 0x85 -> push(new Tuple(List.of(pop())));
            case 0x86 -> pair();
            case 0x87 -> triple();
            case 'a' -> append(new Pickled[] {pop()});
            case 'e' -> append(popToMark());
            case 's' -> setItem();
            case 'u' -> setItems(popToMark());
            case 'q' -> remember(in.int8() & 0xFF);
            case 'r' -> remember(in.int32());
            case 'h' -> push(recall(in.int8() & 0xFF));
            case 'j' -> push(recall(in.int32()));
            case 'c' -> push(global());
            case 'Q' -> push(storage(pop()));
            case 'R' -> reduce();
            case 'b' -> build();
            default -> throw refused(opcode);
        }
    }

    private FormatException bad(String problem) {
        return in.bad(opcodeAt, problem, HeaderReader.DAMAGED);
    }

    private FormatException refused(String problem) {
        return in.bad(opcodeAt, problem, REMEDY);
    }

    private FormatException refused(int opcode) {
        String name =
                switch (opcode) {
                    case 'i' -> "INST";
                    case 'o' -> "OBJ";
                    case 0x81 -> "NEWOBJ";
                    case 0x92 -> "NEWOBJ_EX";
                    case 0x93 -> "STACK_GLOBAL";
                    case 0x82, 0x83, 0x84 -> "EXT";
                    case 'P' -> "PERSID";
                    case 'T', 'U', 'S' -> "a string of Python 2";
                    case 'B', 'C', 0x8E, 0x96 -> "bytes";
                    case 0x95 -> "FRAME";
                    case 0x94 -> "MEMOIZE";
                    case 'p', 'g' -> "a memo in text";
                    case '0', '1', '2' -> "POP, POP_MARK or DUP";
                    default -> "not of torch.save's pickles";
                };
        return refused("opcode 0x%02x (%s) is refused".formatted(opcode, name));
    }

    private void push(Pickled value) {
        if (height == MAX_STACK) {
            throw bad("more than " + MAX_STACK + " values wait on the stack");
        }
        if (height == stack.length) {
            stack = Arrays.copyOf(stack, 2 * height);
        }
        stack[height++] = value;
    }

    /** Takes a value, but none from below the last mark. */
    private Pickled pop() {
        if (height == (depth == 0 ? 0 : marks[depth - 1])) {
            throw bad("a value is taken from an empty stack");
        }
        return stack[--height];
    }

    private void mark() {
        if (depth == MAX_DEPTH) {
            throw bad("marks are nested more than " + MAX_DEPTH + " deep");
        }
        marks[depth++] = height;
    }

    private Pickled[] popToMark() {
        if (depth == 0) {
            throw bad("values are taken up to a mark, but there is none");
        }
        int from = marks[--depth];
        Pickled[] values = Arrays.copyOfRange(stack, from, height);
        height = from;
        return values;
    }

    private void pair() {
        Pickled second = pop();
        push(new Tuple(List.of(pop(), second)));
    }

    private void triple() {
        Pickled third = pop();
        Pickled second = pop();
        push(new Tuple(List.of(pop(), second, third)));
    }

    private long longInteger() {
        int length = in.int8() & 0xFF;
        if (length > Long.BYTES) {
            throw bad("a number of " + length + " bytes, at most 8 are read");
        }
        long value = 0;
        for (int i = 0; i < length; i++) {
            long signed = in.int8();
            // The last byte brings the sign.
            value |= (i == length - 1 ? signed : signed & 0xFF) << 8 * i;
        }
        return value;
    }

    private void append(Pickled[] values) {
        if (!(pop() instanceof Items list)) {
            throw bad("values are appended to what is no list");
        }
        for (Pickled value : values) {
            list.add(value);
        }
        push(list);
    }

    private void setItem() {
        Pickled value = pop();
        setItems(new Pickled[] {pop(), value});
    }

    private void setItems(Pickled[] values) {
        if (values.length % 2 != 0 || !(pop() instanceof Mapping dictionary)) {
            throw bad("pairs are put into what is no dictionary, or a value is missing");
        }
        for (Pickled value : values) {
            dictionary.entries().add(value);
        }
        push(dictionary);
    }

    /** Numbers are given out one after the other, so none is above the bytes that were read. */
    private void remember(int number) {
        if (number < 0 || number > in.position()) {
            throw bad("memo number " + Integer.toUnsignedString(number) + " is out of turn");
        }
        Pickled value = pop();
        push(value);
        if (number >= memo.length) {
            memo = Arrays.copyOf(memo, Math.max(number + 1, 2 * memo.length));
        }
        memo[number] = value;
    }

    private Pickled recall(int number) {
        Pickled value = number < 0 || number >= memo.length ? null : memo[number];
        if (value == null) {
            throw bad("memo number " + Integer.toUnsignedString(number) + " was never given out");
        }
        return value;
    }

    private Pickled global() {
        String title = line() + "." + line();
        ElementType element = ElementType.of(title);
        Callable callable = Callable.of(title);
        if (element != null) {
            return element;
        }
        if (callable != null) {
            return callable;
        }
        throw refused("it asks for " + FormatException.quote(title) + ", which is refused");
    }

    private String line() {
        StringBuilder line = new StringBuilder();
        for (int c = in.int8(); c != '\n'; c = in.int8()) {
            if (line.length() == MAX_LINE || c < ' ') {
                throw bad("a name of Python has more than " + MAX_LINE + " letters, or no letter");
            }
            line.append((char) c);
        }
        return line.toString();
    }

    /**
     * The persistent id {@code ('storage', type, key, location, elements)}; the legacy stream adds
     * a view of another storage, which torch has not written since version 0.4.
     */
    private Storage storage(Pickled id) {
        if (!(id instanceof Tuple(List<Pickled> parts))
                || parts.isEmpty()
                || !parts.getFirst().equals(new Text("storage"))) {
            throw refused("a persistent id that names no storage is refused");
        }
        boolean view = parts.size() == 6 && !(parts.getLast() instanceof None);
        if (view
                || parts.size() < 5
                || parts.size() > 6
                || !(parts.get(1) instanceof ElementType type)
                || !(parts.get(2) instanceof Text(String key))
                || !(parts.get(3) instanceof Text)
                || !(parts.get(4) instanceof Whole(long elements))
                || elements < 0) {
            throw bad("a storage needs type, key, location and number of elements");
        }
        Storage storage = new Storage(type, key, elements);
        Storage before = storages.putIfAbsent(key, storage);
        if (before != null && !before.equals(storage)) {
            throw bad(
                    "storage "
                            + FormatException.quote(key)
                            + " is described twice, and differently");
        }
        return before == null ? storage : before;
    }

    private void reduce() {
        if (!(pop() instanceof Tuple(List<Pickled> arguments))) {
            throw bad("a call has no tuple of arguments");
        }
        if (!(pop() instanceof Callable callable)) {
            throw refused("a call of what is not known to be harmless is refused");
        }
        push(
                switch (callable) {
                    case ORDERED_DICT -> orderedDict(arguments);
                    case TENSOR -> view(arguments);
                    case PARAMETER -> parameter(arguments);
                    case SIZE -> size(arguments);
                });
    }

    private Mapping orderedDict(List<Pickled> arguments) {
        if (!arguments.isEmpty()) {
            throw bad("an OrderedDict is made of something, expected an empty one");
        }
        return new Mapping();
    }

    private Pickled size(List<Pickled> arguments) {
        if (arguments.size() != 1 || !(arguments.getFirst() instanceof Tuple size)) {
            throw bad("a torch.Size needs one tuple");
        }
        return size;
    }

    /** {@code _rebuild_parameter(tensor, requires_grad, hooks)}. */
    private Pickled parameter(List<Pickled> arguments) {
        if (arguments.size() != 3
                || !(arguments.getFirst() instanceof View view)
                || !hasNoHooks(arguments.getLast())) {
            throw bad("a parameter needs a tensor, a flag and no hooks");
        }
        return view;
    }

    /** {@code _rebuild_tensor_v2(storage, offset, size, stride, requires_grad, hooks)}. */
    private Pickled view(List<Pickled> arguments) {
        if (arguments.size() != 6
                || !(arguments.get(0) instanceof Storage storage)
                || !(arguments.get(1) instanceof Whole(long offset))
                || !(arguments.get(4) instanceof Flag)
                || !hasNoHooks(arguments.get(5))) {
            throw bad("a tensor needs storage, offset, size, strides, a flag and no hooks");
        }
        List<Long> shape = naturals(arguments.get(2));
        List<Long> strides = naturals(arguments.get(3));
        if (offset < 0 || shape.size() != strides.size()) {
            throw bad("offset " + offset + ", shape " + shape + ", strides " + strides);
        }
        return new View(storage, offset, shape, strides);
    }

    private static boolean hasNoHooks(Pickled hooks) {
        return hooks instanceof None || hooks instanceof Mapping m && m.size() == 0;
    }

    private List<Long> naturals(Pickled tuple) {
        if (!(tuple instanceof Tuple(List<Pickled> items))
                || items.size() > SafetensorsHeader.MAX_DIMENSIONS) {
            throw bad(
                    "expected a tuple of at most "
                            + SafetensorsHeader.MAX_DIMENSIONS
                            + " whole numbers");
        }
        List<Long> numbers = new ArrayList<>(items.size());
        for (Pickled item : items) {
            if (!(item instanceof Whole(long number)) || number < 0) {
                throw bad("expected whole numbers of at least 0");
            }
            numbers.add(number);
        }
        return numbers;
    }

    /** Attributes of a dictionary: a module leaves its version there, which no one needs. */
    private void build() {
        Pickled state = pop();
        Pickled target = pop();
        if (!(state instanceof Mapping) || !(target instanceof Mapping)) {
            throw refused("opcode 0x62 (BUILD) is refused on anything but a dictionary");
        }
        push(target);
    }
}
