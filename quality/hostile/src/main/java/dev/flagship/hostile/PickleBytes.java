package dev.flagship.hostile;

import java.io.ByteArrayOutputStream;
import java.io.IOException;
import java.io.UncheckedIOException;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.charset.StandardCharsets;
import java.util.Arrays;
import java.util.LinkedHashMap;
import java.util.Map;
import java.util.function.Consumer;
import java.util.zip.CRC32;
import java.util.zip.ZipEntry;
import java.util.zip.ZipOutputStream;

/**
 * Writes pickles and the two containers of PyTorch for tests, valid ones and others: it checks
 * nothing. Opcodes are those of Python's pickletools.py.
 */
public final class PickleBytes {
    public static final int MARK = '(';
    public static final int TUPLE = 't';
    public static final int REDUCE = 'R';
    public static final int EMPTY_TUPLE = ')';
    public static final int EMPTY_DICT = '}';
    public static final int EMPTY_LIST = ']';
    public static final int SETITEMS = 'u';
    public static final int SETITEM = 's';
    public static final int APPENDS = 'e';
    public static final int APPEND = 'a';
    public static final int NONE = 'N';
    public static final int TRUE = 0x88;
    public static final int FALSE = 0x89;
    public static final int PERSID = 'Q';
    public static final int BUILD = 'b';
    public static final int STOP = '.';

    private final LittleEndian out = new LittleEndian();

    /** A pickle of protocol 2, begun. */
    public static PickleBytes begun() {
        return new PickleBytes().op(0x80, 2);
    }

    /** A whole pickle: an OrderedDict of what is put in, names and values in turn. */
    public static byte[] dictionary(Consumer<PickleBytes> items) {
        PickleBytes pickle = begun().emptyDictionary().op(MARK);
        items.accept(pickle);
        return pickle.op(SETITEMS, STOP).bytes();
    }

    /** A dictionary with the one tensor "a", F32 [2, 2] over the storage "0" of 16 bytes. */
    public static byte[] oneTensor() {
        return dictionary(p -> p.text("a").tensor("FloatStorage", "0", 4, 0, of(2, 2), of(2, 1)));
    }

    public static long[] of(long... numbers) {
        return numbers;
    }

    public PickleBytes op(int... bytes) {
        out.raw(bytes);
        return this;
    }

    public PickleBytes raw(byte[] bytes) {
        out.raw(bytes);
        return this;
    }

    public PickleBytes repeat(int count, int... bytes) {
        ByteArrayOutputStream many = new ByteArrayOutputStream();
        for (int i = 0; i < count; i++) {
            for (int b : bytes) {
                many.write(b);
            }
        }
        return raw(many.toByteArray());
    }

    public PickleBytes int32(int value) {
        out.u32(value);
        return this;
    }

    public PickleBytes text(String text) {
        byte[] utf8 = text.getBytes(StandardCharsets.UTF_8);
        return op('X').int32(utf8.length).raw(utf8);
    }

    public PickleBytes number(long value) {
        if (value == (int) value) {
            return op('J').int32((int) value);
        }
        out.raw(0x8A, 8).u64(value);
        return this;
    }

    public PickleBytes global(String module, String name) {
        out.text("c" + module + "\n" + name + "\n");
        return this;
    }

    public PickleBytes emptyDictionary() {
        return global("collections", "OrderedDict").op(EMPTY_TUPLE, REDUCE);
    }

    public PickleBytes storage(String type, String key, long elements) {
        return op(MARK).text("storage")
                .global("torch", type)
                .text(key)
                .text("cpu")
                .number(elements)
                .op(TUPLE, PERSID);
    }

    private PickleBytes tuple(long[] numbers) {
        op(MARK);
        for (long number : numbers) {
            number(number);
        }
        return op(TUPLE);
    }

    /** What {@code _rebuild_tensor_v2} gives. */
    public PickleBytes tensor(
            String type, String key, long elements, long offset, long[] shape, long[] strides) {
        return global("torch._utils", "_rebuild_tensor_v2")
                .op(MARK)
                .storage(type, key, elements)
                .number(offset)
                .tuple(shape)
                .tuple(strides)
                .op(FALSE)
                .emptyDictionary()
                .op(TUPLE, REDUCE);
    }

    public byte[] bytes() {
        return out.bytes();
    }

    /** Storages of so many bytes, which count up from zero, by the keys "0", "1" and so on. */
    public static Map<String, byte[]> storages(int... sizes) {
        Map<String, byte[]> storages = new LinkedHashMap<>();
        for (int i = 0; i < sizes.length; i++) {
            storages.put(Integer.toString(i), new LittleEndian().data(sizes[i]).bytes());
        }
        return storages;
    }

    /** The zip archive, by the JDK's writer. */
    public static byte[] archive(byte[] pickle, Map<String, byte[]> storages) {
        Map<String, byte[]> members = new LinkedHashMap<>();
        members.put("m/data.pkl", pickle);
        members.put("m/byteorder", new LittleEndian().text("little").bytes());
        storages.forEach((key, bytes) -> members.put("m/data/" + key, bytes));
        members.put("m/version", new LittleEndian().text("3\n").bytes());
        return zip(members);
    }

    /** A zip file of stored members. */
    public static byte[] zip(Map<String, byte[]> members) {
        ByteArrayOutputStream bytes = new ByteArrayOutputStream();
        try (ZipOutputStream zip = new ZipOutputStream(bytes)) {
            for (Map.Entry<String, byte[]> member : members.entrySet()) {
                ZipEntry entry = new ZipEntry(member.getKey());
                CRC32 crc = new CRC32();
                crc.update(member.getValue());
                entry.setMethod(ZipEntry.STORED);
                entry.setSize(member.getValue().length);
                entry.setCrc(crc.getValue());
                zip.putNextEntry(entry);
                zip.write(member.getValue());
            }
        } catch (IOException e) {
            throw new UncheckedIOException(e);
        }
        return bytes.toByteArray();
    }

    /** The stream of before PyTorch 1.6. */
    public static byte[] stream(byte[] pickle, Map<String, byte[]> storages, int elementBytes) {
        LittleEndian out = new LittleEndian().raw(streamHead(true)).raw(pickle).raw(keys(storages));
        storages.values().forEach(s -> out.u64(s.length / elementBytes).raw(s));
        return out.bytes();
    }

    /** Magic number, protocol and system. */
    public static byte[] streamHead(boolean little) {
        return new LittleEndian()
                .raw(0x80, 2, 0x8A, 10, 0x6C, 0xFC, 0x9C, 0x46, 0xF9, 0x20, 0x6A, 0xA8, 0x50, 0x19)
                .raw(STOP)
                .raw(0x80, 2, 'M', 0xE9, 3, STOP)
                .raw(
                        begun().op(EMPTY_DICT, MARK)
                                .text("protocol_version")
                                .number(1001)
                                .text("little_endian")
                                .op(little ? TRUE : FALSE)
                                .op(SETITEMS, STOP)
                                .bytes())
                .bytes();
    }

    /** The pickled list of keys. */
    public static byte[] keys(Map<String, byte[]> storages) {
        PickleBytes keys = begun().op(EMPTY_LIST, MARK);
        storages.keySet().forEach(keys::text);
        return keys.op(APPENDS, STOP).bytes();
    }

    /**
     * A zip file with a Zip64 end.
     *
     * @param right 1 if the locator points at it
     * @param extra added to the number of members
     */
    public static byte[] withLargeEnd(byte[] zip, int right, long extra) {
        int end = zip.length - 22;
        ByteBuffer last = ByteBuffer.wrap(zip, end, 22).slice().order(ByteOrder.LITTLE_ENDIAN);
        int members = last.getShort(10);
        long size = Integer.toUnsignedLong(last.getInt(12));
        long offset = Integer.toUnsignedLong(last.getInt(16));
        return new LittleEndian()
                .raw(Arrays.copyOf(zip, end))
                .text("PK\6\6")
                .u64(44)
                .u32(0x2D001E)
                .u32(0)
                .u32(0)
                .u64(members + extra)
                .u64(members + extra)
                .u64(size)
                .u64(offset)
                .text("PK\6\7")
                .u32(0)
                .u64(right == 1 ? end : 0)
                .u32(1)
                .raw(Arrays.copyOfRange(zip, end, zip.length))
                .bytes();
    }
}
