package dev.flagship.hostile;

import static dev.flagship.hostile.CveClass.*;
import static dev.flagship.hostile.PickleBytes.*;

import java.nio.charset.StandardCharsets;
import java.util.Arrays;
import java.util.LinkedHashMap;
import java.util.Map;
import java.util.function.Consumer;
import java.util.function.UnaryOperator;
import java.util.stream.Stream;

/**
 * PyTorch files that lie: pickles that name code to run or break the machine that reads them,
 * tensors beyond their storages, zip files of two faces, streams cut short, and bombs.
 */
final class TorchCases {
    private static final byte[] GOOD = archive(oneTensor(), storages(16));

    private TorchCases() {}

    static Stream<HostileCase> all() {
        return Stream.of(
                        in(CODE, programs()),
                        in(FAULT, machines()),
                        in(BEYOND_FILE, tensors()),
                        in(MALFORMED, roots()),
                        in(PATH, zips()),
                        in(PATH, members()),
                        in(EXPANSION, bombs()),
                        streams()
                                .map(file ->
                                        file.alone(Format.TORCH_STREAM, "hostile.bin", MALFORMED)))
                .flatMap(group -> group);
    }

    private static Stream<HostileCase> in(CveClass covers, Stream<HostileFile> files) {
        return files.map(file -> file.alone(Format.TORCH_ARCHIVE, "hostile.bin", covers));
    }

    private static HostileFile pickle(String lie, byte[] pickle, String place) {
        return new HostileFile(lie, archive(pickle, storages(16)), place);
    }

    private static HostileFile pickle(String lie, Consumer<PickleBytes> program, String place) {
        PickleBytes pickle = begun();
        program.accept(pickle);
        return pickle(lie, pickle.bytes(), place);
    }

    private static HostileFile global(String module, String name) {
        return pickle(
                module + " " + name,
                p -> p.global(module, name).op(MARK).text("touch /x").op(TUPLE, REDUCE, STOP),
                "it asks for \"" + module + "." + name + "\", which is refused");
    }

    /** Pickles that would run something where pickles are run. */
    private static Stream<HostileFile> programs() {
        return Stream.of(
                global("os", "system"),
                global("posix", "system"),
                global("nt", "system"),
                global("builtins", "eval"),
                global("__builtin__", "exec"),
                global("builtins", "getattr"),
                global("subprocess", "Popen"),
                global("webbrowser", "open"),
                global("importlib", "import_module"),
                global("numpy.core.multiarray", "_reconstruct"),
                global("torch.storage", "_load_from_bytes"),
                global("torch.hub", "load"),
                global("torch.jit", "load"),
                global("torch._utils", "_rebuild_tensor_v3"),
                global("torch._utils", "_rebuild_device_tensor_from_numpy"),
                global("torch._tensor", "_rebuild_from_type_v2"),
                global("torch", "load"),
                global("torch", "FloatStorage.__class__"),
                global("torch", "QInt8Storage"),
                global("torch.nn.modules.linear", "Linear"),
                global("collections", "OrderedDict.fromkeys"),
                global("collections", "defaultdict"),
                global("collections.OrderedDict", ""),
                global("", "collections.OrderedDict"),
                global("argparse", "Namespace"),
                global("java.lang", "Runtime"),
                pickle(
                        "a call of a storage class",
                        p -> p.global("torch", "FloatStorage").op(EMPTY_TUPLE, REDUCE, STOP),
                        "a call of what is not known to be harmless"),
                pickle(
                        "a call of text",
                        p -> p.text("eval").op(EMPTY_TUPLE, REDUCE, STOP),
                        "a call of what is not known to be harmless"),
                pickle(
                        "a call of a dictionary",
                        p -> p.op(EMPTY_DICT, EMPTY_TUPLE, REDUCE, STOP),
                        "a call of what is not known to be harmless"),
                pickle(
                        "a call with a list",
                        p -> p.global("collections", "OrderedDict").op(EMPTY_LIST, REDUCE, STOP),
                        "no tuple of arguments"),
                pickle(
                        "an OrderedDict of something",
                        p ->
                                p.global("collections", "OrderedDict")
                                        .op(EMPTY_LIST, 0x85, REDUCE, STOP),
                        "an OrderedDict is made of something"),
                pickle(
                        "state for a tensor",
                        p ->
                                p.tensor("FloatStorage", "0", 4, 0, of(4), of(1))
                                        .op(EMPTY_DICT, BUILD, STOP),
                        "opcode 0x62 (BUILD) is refused"),
                pickle(
                        "state for a class",
                        p -> p.global("torch", "Size").op(EMPTY_DICT, BUILD, STOP),
                        "opcode 0x62 (BUILD) is refused"),
                pickle(
                        "state that is no dictionary",
                        p -> p.emptyDictionary().op(EMPTY_LIST, BUILD, STOP),
                        "opcode 0x62 (BUILD) is refused"),
                pickle(
                        "a module with its source",
                        p ->
                                p.op(MARK)
                                        .text("module")
                                        .text("__main__.Net")
                                        .text("net.py")
                                        .text("import os")
                                        .op(TUPLE, PERSID, STOP),
                        "names no storage"),
                pickle("a persistent id that is text", p -> p.text("x").op(PERSID), "no storage"),
                pickle("an empty persistent id", p -> p.op(EMPTY_TUPLE, PERSID), "no storage"));
    }

    /** Pickles that break the machine that reads them. */
    private static Stream<HostileFile> machines() {
        return Stream.of(
                pickle("nothing", new byte[0], "data.pkl"),
                pickle("protocol 0", new byte[] {'(', 'd', '.'}, "no pickle begins with"),
                pickle("protocol 1", new byte[] {(byte) 0x80, 1, '}', '.'}, "protocol 1"),
                pickle("protocol 4", new byte[] {(byte) 0x80, 4, (byte) 0x95}, "protocol 4"),
                pickle("protocol 255", new byte[] {(byte) 0x80, -1}, "protocol 255"),
                pickle("no protocol", new byte[] {(byte) 0x80}, "1 bytes needed, 0 left"),
                pickle("only a protocol", p -> {}, "1 bytes needed, 0 left"),
                pickle("no end", p -> p.op(EMPTY_DICT), "1 bytes needed, 0 left"),
                pickle("an end of nothing", p -> p.op(STOP), "empty stack"),
                pickle("an end too early", p -> p.op(NONE, NONE, STOP), "1 values and 0 marks"),
                pickle("an end below a mark", p -> p.op(NONE, MARK, STOP), "empty stack"),
                pickle("a mark left", p -> p.op(MARK, NONE, STOP), "0 values and 1 marks"),
                pickle("a value from below a mark", p -> p.op(NONE, MARK, 0x85), "empty stack"),
                pickle("a tuple without a mark", p -> p.op(NONE, TUPLE), "there is none"),
                pickle("a pair of one", p -> p.op(NONE, 0x86), "empty stack"),
                pickle("a triple of two", p -> p.op(NONE, NONE, 0x87), "empty stack"),
                pickle("appended to a tuple", p -> p.op(')', NONE, APPEND), "no list"),
                pickle("appended to a dictionary", p -> p.op('}', MARK, APPENDS), "no list"),
                pickle("appended to nothing", p -> p.op(NONE, APPEND), "empty stack"),
                pickle("a pair for a list", p -> p.op(']', NONE, NONE, SETITEM), "no dictionary"),
                pickle("an odd pair", p -> p.op('}', MARK, NONE, SETITEMS), "no dictionary"),
                pickle("an unknown memo", p -> p.op('h', 0), "memo number 0 was never given out"),
                pickle("a negative memo", p -> p.op('j').int32(-1), "4294967295 was never"),
                pickle(
                        "a memo far ahead",
                        p -> p.op(NONE, 'r').int32(Integer.MAX_VALUE),
                        "2147483647 is out of turn"),
                pickle("memo −1", p -> p.op(NONE, 'r').int32(-1), "4294967295 is out of turn"),
                pickle("a memo of nothing", p -> p.op('q', 0), "empty stack"),
                pickle("65 marks", p -> p.repeat(65, MARK), "nested more than 64 deep")
                        .as(EXPANSION),
                pickle("65,537 values", p -> p.repeat(65_537, NONE), "more than 65536 values")
                        .as(EXPANSION),
                pickle("text of 2 GiB", p -> p.op('X').int32(Integer.MAX_VALUE), "bytes needed")
                        .as(ARITHMETIC),
                pickle("text of −1 bytes", p -> p.op('X').int32(-1), "bytes needed").as(ARITHMETIC),
                pickle("text beyond the end", p -> p.op('X').int32(2).op('a'), "2 bytes needed")
                        .as(ARITHMETIC),
                pickle("no UTF-8", p -> p.op('X').int32(1).op(0xFF, STOP), "not UTF-8"),
                pickle(
                        "half a character",
                        p -> p.op('X').int32(3).op(0xED, 0xA0, 0x80, STOP),
                        "not UTF-8"),
                pickle("a number of 9 bytes", p -> p.op(0x8A, 9).repeat(9, 0), "9 bytes")
                        .as(ARITHMETIC),
                pickle("a number of 255 bytes", p -> p.op(0x8A, 255), "255 bytes").as(ARITHMETIC),
                pickle("a number cut short", p -> p.op(0x8A, 8, 1), "1 bytes needed"),
                pickle("a float cut short", p -> p.op('G', 1), "8 bytes needed"),
                pickle("a name without end", p -> p.op('c').repeat(300, 'a'), "256 letters"),
                pickle("a name cut short", p -> p.op('c', 'a'), "1 bytes needed"),
                pickle("a name with a bell", p -> p.op('c', 7, '\n'), "no letter"),
                pickle("a name that is no ASCII", p -> p.op('c', 0xC3, 0xA9, '\n'), "no letter"));
    }

    private static HostileFile tensor(
            String lie, String type, long elements, long offset, long[] shape, long[] strides) {
        return tensor(lie, type, elements, offset, shape, strides, "tensor \"a\"");
    }

    private static HostileFile tensor(
            String lie,
            String type,
            long elements,
            long offset,
            long[] shape,
            long[] strides,
            String place) {
        return pickle(
                lie,
                dictionary(p -> p.text("a").tensor(type, "0", elements, offset, shape, strides)),
                place);
    }

    /** Tensors that do not lie in their storage of 16 bytes. */
    private static Stream<HostileFile> tensors() {
        String type = "FloatStorage";
        String damaged = "data.pkl";
        String storage = "storage \"0\"";
        long huge = Long.MAX_VALUE;
        return Stream.of(
                tensor("one row too many", type, 4, 0, of(3, 2), of(2, 1)),
                tensor("one too far in", type, 4, 1, of(2, 2), of(2, 1)),
                tensor("an offset at the end", type, 4, 4, of(1), of(1)),
                tensor("an offset of 2^63 − 1", type, 4, huge, of(1), of(1)).as(ARITHMETIC),
                tensor("a negative offset", type, 4, -1, of(1), of(1), damaged),
                tensor("a step beyond the end", type, 4, 0, of(2, 2), of(3, 1)),
                tensor("2^63 − 1 rows", type, 4, 0, of(huge, 1), of(1, 1)).as(ARITHMETIC),
                tensor("2^126 elements", type, 4, 0, of(huge, huge), of(1, 1)).as(ARITHMETIC),
                tensor("steps of 2^63 − 1", type, 4, 0, of(2, 2), of(huge, 1)).as(ARITHMETIC),
                tensor("steps that overflow", type, 4, 0, of(5, 2), of(1L << 62, 1)).as(ARITHMETIC),
                tensor("an expanded number", type, 4, 0, of(1L << 40), of(0)).as(EXPANSION),
                tensor("an expanded row", type, 4, 0, of(1L << 40, 4), of(0, 1)).as(EXPANSION),
                tensor("windows that overlap", type, 4, 0, of(3, 2), of(1, 1)),
                tensor("two equal strides", type, 4, 0, of(2, 2), of(1, 1)),
                tensor("a scalar of nothing", type, 0, 0, of(), of(), storage),
                tensor("a negative row", type, 4, 0, of(-1), of(1), damaged),
                tensor("a negative stride", type, 4, 3, of(4), of(-1), damaged),
                tensor("more strides than rows", type, 4, 0, of(2), of(2, 1), damaged),
                tensor("9 dimensions", type, 4, 0, new long[9], new long[9], damaged),
                tensor("a storage of 5 for 16 bytes", type, 5, 0, of(4), of(1), storage),
                tensor("a storage of 3 for 16 bytes", type, 3, 0, of(3), of(1), storage),
                tensor("a storage of 2^62", type, 1L << 62, 0, of(4), of(1), storage)
                        .as(ARITHMETIC),
                tensor("a storage of −1", type, -1, 0, of(4), of(1), damaged),
                tensor("a wider type", "DoubleStorage", 4, 0, of(4), of(1), storage),
                pickle(
                        "a storage that is not there",
                        dictionary(p -> p.text("a").tensor(type, "../0", 4, 0, of(4), of(1))),
                        "storage \"../0\": it is not in the file"),
                pickle(
                        "a storage of two types",
                        dictionary(p ->
                                p.text("a")
                                        .tensor(type, "0", 4, 0, of(4), of(1))
                                        .text("b")
                                        .tensor("HalfStorage", "0", 8, 0, of(8), of(1))),
                        "described twice"),
                pickle(
                        "a storage with a view",
                        p ->
                                p.op(MARK)
                                        .text("storage")
                                        .global("torch", type)
                                        .text("0")
                                        .text("cpu")
                                        .number(4)
                                        .text("view")
                                        .op(TUPLE, PERSID),
                        "a storage needs"),
                pickle(
                        "a storage of text",
                        p ->
                                p.op(MARK)
                                        .text("storage")
                                        .text("torch.FloatStorage")
                                        .text("0")
                                        .text("cpu")
                                        .number(4)
                                        .op(TUPLE, PERSID),
                        "a storage needs"),
                pickle(
                        "a tensor with hooks",
                        dictionary(p -> p.text("a").raw(hooked())),
                        "no hooks"),
                pickle(
                        "a tensor of text",
                        p ->
                                p.global("torch._utils", "_rebuild_tensor_v2")
                                        .text("a")
                                        .op(0x85, REDUCE),
                        "a tensor needs storage"),
                pickle(
                        "a parameter of text",
                        p ->
                                p.global("torch._utils", "_rebuild_parameter")
                                        .text("a")
                                        .op(FALSE, NONE, 0x87, REDUCE),
                        "a parameter needs a tensor"),
                pickle(
                        "a size of numbers",
                        p -> p.global("torch", "Size").number(4).op(0x85, REDUCE),
                        "a torch.Size needs one tuple"));
    }

    private static byte[] hooked() {
        return new PickleBytes()
                .global("torch._utils", "_rebuild_tensor_v2")
                .op(MARK)
                .storage("FloatStorage", "0", 4)
                .number(0)
                .op(EMPTY_TUPLE, EMPTY_TUPLE, FALSE, EMPTY_DICT)
                .text("hook")
                .text("code")
                .op(SETITEM, TUPLE, REDUCE)
                .bytes();
    }

    /** Pickles of something else than tensors by name. */
    private static Stream<HostileFile> roots() {
        String root = "root of the pickle";
        return Stream.of(
                pickle("a list", p -> p.op(EMPTY_LIST, STOP), root),
                pickle("None", p -> p.op(NONE, STOP), root),
                pickle("a class", p -> p.global("torch", "Size").op(STOP), root),
                pickle(
                        "a tensor alone",
                        p -> p.tensor("FloatStorage", "0", 4, 0, of(4), of(1)).op(STOP),
                        root),
                pickle("an empty dictionary", p -> p.op(EMPTY_DICT, STOP), "no tensor among its 0"),
                pickle(
                        "a dictionary of a dictionary",
                        dictionary(p -> p.text("model").emptyDictionary()),
                        "Save the state_dict alone"),
                pickle(
                        "a number as name",
                        dictionary(
                                p -> p.number(7).tensor("FloatStorage", "0", 4, 0, of(4), of(1))),
                        "a key is no name"),
                pickle(
                        "an empty name",
                        dictionary(p -> p.text("").tensor("FloatStorage", "0", 4, 0, of(4), of(1))),
                        "a key is no name"),
                pickle(
                        "a name twice",
                        dictionary(p ->
                                p.text("a")
                                        .tensor("FloatStorage", "0", 4, 0, of(4), of(1))
                                        .text("a")
                                        .tensor("FloatStorage", "0", 4, 0, of(4), of(1))),
                        "the name occurs twice"),
                new HostileFile(
                                "six views of one large storage",
                                archive(
                                        dictionary(p -> {
                                            for (String name :
                                                    new String[] {"a", "b", "c", "d", "e", "f"}) {
                                                p.text(name)
                                                        .tensor(
                                                                "FloatStorage",
                                                                "0",
                                                                1 << 14,
                                                                0,
                                                                of(1 << 14),
                                                                of(1));
                                            }
                                        }),
                                        storages(1 << 16)),
                                "at most 4 times as many can")
                        .as(EXPANSION));
    }

    private static HostileFile members(String lie, Map<String, byte[]> members, String place) {
        return new HostileFile(lie, zip(members), place);
    }

    private static Map<String, byte[]> members(Object... namesAndTexts) {
        Map<String, byte[]> members = new LinkedHashMap<>();
        for (int i = 0; i < namesAndTexts.length; i += 2) {
            Object content = namesAndTexts[i + 1];
            members.put(
                    (String) namesAndTexts[i],
                    content instanceof byte[] bytes
                            ? bytes
                            : ((String) content).getBytes(StandardCharsets.UTF_8));
        }
        return members;
    }

    /** Well-formed zip files that are no checkpoints. */
    private static Stream<HostileFile> members() {
        byte[] pickle = oneTensor();
        return Stream.of(
                members("of texts", members("a.txt", "hello"), "no data.pkl in it"),
                members("a pickle at the top", members("data.pkl", pickle), "no data.pkl in it"),
                members("a pickle too deep", members("a/b/data.pkl", pickle), "no data.pkl in it"),
                members(
                        "two pickles",
                        members("a/data.pkl", pickle, "b/data.pkl", pickle),
                        "a second data.pkl"),
                members(
                                "TorchScript",
                                members("m/data.pkl", pickle, "m/constants.pkl", "x"),
                                "a TorchScript program")
                        .as(CODE),
                members(
                        "big-endian",
                        members("m/data.pkl", pickle, "m/byteorder", "big"),
                        "the byte order is \"big\""),
                members(
                        "an order of nothing",
                        members("m/data.pkl", pickle, "m/byteorder", ""),
                        "the byte order is \"\""),
                members(
                        "an order without end",
                        members("m/data.pkl", pickle, "m/byteorder", "little".repeat(1000)),
                        "the byte order is"),
                members(
                        "a storage of another root",
                        members("m/data.pkl", pickle, "n/data/0", new byte[16]),
                        "storage \"0\": it is not in the file"),
                members(
                        "a storage that leaves the folder",
                        members("m/data.pkl", pickle, "m/data/../0", new byte[16]),
                        "storage \"0\": it is not in the file"),
                members(
                        "a storage of one byte more",
                        members("m/data.pkl", pickle, "m/data/0", new byte[17]),
                        "17 bytes for 4 elements of float32"),
                members(
                        "a storage of nothing",
                        members("m/data.pkl", pickle, "m/data/0", new byte[0]),
                        "0 bytes for 4 elements of float32"),
                members("a pickle of text", members("m/data.pkl", "hello"), "data.pkl"));
    }

    private static HostileFile patched(String lie, UnaryOperator<byte[]> lying, String place) {
        return new HostileFile(lie, lying.apply(GOOD.clone()), place);
    }

    /** Where the first record with a signature and a name begins in a zip file. */
    private static int record(byte[] bytes, String signature, String name) {
        String text = new String(bytes, StandardCharsets.ISO_8859_1);
        int header = signature.equals("PK\1\2") ? 46 : 30;
        for (int at = text.indexOf(signature); at >= 0; at = text.indexOf(signature, at + 1)) {
            if (text.startsWith(name, at + header)) {
                return at;
            }
        }
        throw new IllegalStateException(name + " is not in the zip file");
    }

    private static byte[] set(byte[] bytes, int at, int width, long value) {
        for (int i = 0; i < width; i++) {
            bytes[at + i] = (byte) (value >>> 8 * i);
        }
        return bytes;
    }

    private static HostileFile central(String lie, int field, int width, long value, String why) {
        return patched(
                lie, b -> set(b, record(b, "PK\1\2", "m/data/0") + field, width, value), why);
    }

    private static HostileFile local(String lie, int field, int width, long value) {
        return patched(
                lie,
                b -> set(b, record(b, "PK\3\4", "m/data/0") + field, width, value),
                "header of zip member \"m/data/0\"");
    }

    private static HostileFile end(String lie, int field, int width, long value, String why) {
        return patched(lie, b -> set(b, b.length - 22 + field, width, value), why);
    }

    /** Zip files whose directory lies. */
    private static Stream<HostileFile> zips() {
        String member = "zip member \"m/data/0\"";
        String directory = "zip directory";
        String own = "header of zip member";
        return Stream.of(
                new HostileFile("two bytes", new byte[] {'P', 'K'}, "first bytes"),
                patched("only a start", b -> Arrays.copyOf(b, 4), "too short"),
                patched("cut by one", b -> Arrays.copyOf(b, b.length - 1), directory),
                patched("one byte more", b -> Arrays.copyOf(b, b.length + 1), directory),
                patched(
                        "a comment",
                        b -> set(Arrays.copyOf(b, b.length + 22), b.length - 2, 2, 22),
                        directory),
                end("a comment of 65,535 bytes", 20, 2, 65_535, "a comment").as(EXPANSION),
                end("disk 1", 4, 2, 1, "several disks"),
                end("a directory on disk 1", 6, 2, 1, "several disks"),
                end("one member here, five in all", 8, 2, 1, "several disks"),
                end("65,535 members", 8, 4, 0xFFFF_FFFFL, directory).as(ARITHMETIC),
                end("no members", 8, 4, 0, "bytes are left at its end"),
                end("one member fewer", 8, 4, 0x0003_0003L, "bytes are left at its end"),
                end("one member more", 8, 4, 0x0005_0005L, directory),
                end("a directory of 2^32 − 1 bytes", 12, 4, 0xFFFF_FFFFL, directory).as(ARITHMETIC),
                end("a directory of no bytes", 12, 4, 0, directory),
                end("a directory at 0", 16, 4, 0, directory),
                end("a directory at 2^32 − 1", 16, 4, 0xFFFF_FFFFL, directory).as(ARITHMETIC),
                central("no signature", 0, 4, 0, "no member is described here"),
                central("deflated", 10, 2, 8, "it is compressed (method 8)").as(EXPANSION),
                central("method 65,535", 10, 2, 65_535, "it is compressed (method 65535)"),
                central("encrypted", 8, 2, 1, "it is encrypted"),
                central("two sizes", 20, 4, 8, "two sizes"),
                central("packed 2^32 − 1 without Zip64", 20, 4, 0xFFFF_FFFFL, member),
                central("2^32 − 1 bytes without Zip64", 24, 4, 0xFFFF_FFFFL, member).as(ARITHMETIC),
                central("another size", 20, 8, 0x0000_0008_0000_0008L, own),
                central("bytes beyond the directory", 20, 8, 0x0FFF_FFFF_0FFF_FFFFL, own),
                central("no name", 28, 2, 0, "a name of 0 bytes"),
                central("a name of 65,535 bytes", 28, 2, 65_535, "a name of 65535 bytes"),
                central("a name of 1,024 bytes", 28, 2, 1024, directory),
                central("a name one byte longer", 28, 2, 9, "zip"),
                central("extra bytes beyond the end", 30, 2, 65_535, member),
                central("a comment beyond the end", 32, 2, 65_535, member),
                central("disk 1 of a member", 34, 2, 1, "another disk"),
                central("a header at 2^32 − 1 without Zip64", 42, 4, 0xFFFF_FFFFL, member),
                central("a header in the directory", 42, 4, GOOD.length - 60, member),
                central("a header beyond the end", 42, 4, 0x0FFF_FFFF, member),
                central("a header of another member", 42, 4, 0, own),
                central("a header in the middle of one", 42, 4, 7, own),
                patched(
                        "a name that is no UTF-8",
                        b -> set(b, record(b, "PK\1\2", "m/data/0") + 46, 1, 0xFF),
                        "not UTF-8"),
                new HostileFile("a member twice", twins(), "the name occurs twice"),
                patched(
                        "another sum of the pickle",
                        b -> set(b, record(b, "PK\1\2", "m/data.pkl") + 16, 4, 0x12345678),
                        "its CRC-32 is not what the directory says"),
                patched(
                        "another pickle",
                        b -> set(b, record(b, "PK\3\4", "m/data.pkl") + 30 + 10 + 2, 1, 'N'),
                        "its CRC-32 is not what the directory says"),
                local("no signature of its own", 0, 4, 0),
                local("deflated by its own word", 8, 2, 8),
                local("another size by its own word", 22, 4, 8),
                local("another packed size by its own word", 18, 4, 8),
                local("nothing by its own word, and none to follow", 18, 8, 0),
                local("another name", 30, 1, 'n'),
                local("a longer name", 26, 2, 9),
                local("a name beyond the end", 26, 2, 65_535),
                local("data beyond the directory", 28, 2, 65_535),
                new HostileFile("the same bytes twice", overlapping(), "it overlaps"),
                new HostileFile(
                        "a Zip64 end elsewhere", withLargeEnd(GOOD, 0, 0), "does not follow"),
                new HostileFile("another Zip64 count", withLargeEnd(GOOD, 1, -1), "contradict"),
                new HostileFile("2^62 Zip64 members", withLargeEnd(GOOD, 1, 1L << 62), directory)
                        .as(ARITHMETIC));
    }

    /** A member of the directory lies within another one, as in Fifield's zip bomb. */
    private static byte[] overlapping() {
        byte[] nested = zip(members("n/x", new byte[16]));
        byte[] outer = zip(members("m/data.pkl", oneTensor(), "m/data/0", nested, "n/y", "1"));
        int entry = record(outer, "PK\1\2", "n/y");
        set(outer, entry + 46, 3, 'n' | '/' << 8 | 'x' << 16);
        set(outer, entry + 20, 8, 16L << 32 | 16);
        return set(outer, entry + 42, 4, record(outer, "PK\3\4", "n/x"));
    }

    /** Two members of one name. */
    private static byte[] twins() {
        byte[] zip = zip(members("m/data.pkl", oneTensor(), "m/data/0", "x", "m/data/1", "x"));
        set(zip, record(zip, "PK\1\2", "m/data/1") + 46 + 7, 1, '0');
        return set(zip, record(zip, "PK\3\4", "m/data/1") + 30 + 7, 1, '0');
    }

    private static HostileFile stream(String lie, LittleEndian bytes, String place) {
        return new HostileFile(lie, bytes.bytes(), place);
    }

    private static LittleEndian head() {
        return new LittleEndian().raw(streamHead(true)).raw(oneTensor());
    }

    private static LittleEndian keyed() {
        return head().raw(keys(storages(16)));
    }

    /** Streams of before version 1.6 that lie. */
    private static Stream<HostileFile> streams() {
        LittleEndian magic = new LittleEndian().raw(Arrays.copyOf(streamHead(true), 15));
        String storage = "storage \"0\"";
        return Stream.of(
                stream("a magic only", magic, "protocol of the legacy stream"),
                new HostileFile(
                        "half a magic", Arrays.copyOf(streamHead(true), 14), "this is a pickle"),
                stream(
                        "another protocol",
                        new LittleEndian()
                                .raw(Arrays.copyOf(streamHead(true), 15))
                                .raw(0x80, 2, 'M', 0xEA, 3, STOP),
                        "another one than 1001"),
                stream(
                        "a protocol of text",
                        new LittleEndian()
                                .raw(Arrays.copyOf(streamHead(true), 15))
                                .raw(begun().text("x").op(STOP).bytes()),
                        "another one than 1001"),
                stream(
                        "big-endian",
                        new LittleEndian().raw(streamHead(false)).raw(oneTensor()),
                        "not little-endian"),
                stream(
                        "a system of a list",
                        new LittleEndian()
                                .raw(Arrays.copyOf(streamHead(true), 21))
                                .raw(begun().op(EMPTY_LIST, STOP).bytes()),
                        "does not tell the byte order"),
                stream(
                                "a program",
                                new LittleEndian()
                                        .raw(streamHead(true))
                                        .raw(begun().global("os", "system").bytes()),
                                "pickle of the tensors (byte")
                        .as(CODE),
                stream(
                        "no keys",
                        head().raw(begun().op(EMPTY_LIST, STOP).bytes()),
                        "no list of the 1 storages"),
                stream(
                        "keys in a tuple",
                        head().raw(begun().text("0").op(0x85, STOP).bytes()),
                        "no list of the 1 storages"),
                stream(
                        "another key",
                        head().raw(keys(Map.of("1", new byte[0]))).u64(4).data(16),
                        "a key that no tensor has"),
                stream(
                        "a key that is a number",
                        head().raw(begun().op(EMPTY_LIST).number(0).op(APPEND, STOP).bytes()),
                        "a key that no tensor has"),
                stream("no storage", keyed(), "the file ends before it"),
                stream("half a count", keyed().u32(4), "the file ends before it"),
                stream("a storage of 5", keyed().u64(5).data(20), storage),
                stream("a storage of 3", keyed().u64(3).data(12), storage),
                stream("a storage of −1", keyed().u64(-1).data(16), storage),
                stream("a storage of 2^62", keyed().u64(1L << 62).data(16), storage),
                stream("a storage cut short", keyed().u64(4).data(15), storage).as(BEYOND_FILE),
                stream("bytes at the end", keyed().u64(4).data(17), "1 bytes are left"),
                stream(
                        "a key twice",
                        new LittleEndian()
                                .raw(streamHead(true))
                                .raw(
                                        dictionary(p ->
                                                p.text("a")
                                                        .tensor(
                                                                "FloatStorage",
                                                                "0",
                                                                4,
                                                                0,
                                                                of(4),
                                                                of(1))
                                                        .text("b")
                                                        .tensor(
                                                                "FloatStorage",
                                                                "1",
                                                                4,
                                                                0,
                                                                of(4),
                                                                of(1))))
                                .raw(
                                        begun().op(EMPTY_LIST, MARK)
                                                .text("0")
                                                .text("0")
                                                .op(APPENDS, STOP)
                                                .bytes())
                                .u64(4)
                                .data(16)
                                .u64(4)
                                .data(16),
                        "its key occurs twice"),
                stream(
                        "the archive of version 0.1",
                        new LittleEndian().text("./sys_info").raw(new byte[502]),
                        "first bytes"));
    }

    /** What unfolds where pickles are run, or costs much where they are only described. */
    private static Stream<HostileFile> bombs() {
        PickleBytes doubled = begun().op(EMPTY_LIST, 'q', 0);
        for (int i = 0; i < 60; i++) { // each list holds the last one twice: 2^60 in all
            doubled.op(EMPTY_LIST, MARK, 'h', i, 'h', i, APPENDS, 'q', i + 1);
        }
        PickleBytes cycle = begun().op(EMPTY_LIST, 'q', 0, 'h', 0, APPEND, STOP);
        PickleBytes dictionaries = begun();
        for (int i = 0; i < 40; i++) {
            dictionaries.op(MARK).repeat(60_000, EMPTY_DICT).op(TUPLE);
        }
        return Stream.of(
                pickle("2^60 lists", doubled.op(STOP).bytes(), "are left at its end"),
                pickle("a list of itself", cycle.bytes(), "root of the pickle"),
                pickle("2,400,000 dictionaries", dictionaries.bytes(), "data.pkl"),
                pickle(
                        "1,000,000 tuples in each other",
                        begun().op(EMPTY_TUPLE).repeat(1_000_000, 0x85).op(STOP).bytes(),
                        "root of the pickle"),
                pickle(
                        "50,000 lists of one",
                        begun().repeat(50_000, EMPTY_LIST, NONE, APPEND).op(STOP).bytes(),
                        "are left at its end"),
                pickle(
                        "a memo number of 262,144",
                        begun().op(NONE).repeat(300_000, 'r', 0, 0, 4, 0).op(STOP).bytes(),
                        "out of turn"),
                pickle(
                        "65,537 names",
                        dictionary(p -> {
                            for (int i = 0; i <= 65_536; i += 30_000) {
                                for (int j = i; j < Math.min(65_537, i + 30_000); j++) {
                                    p.text("n" + j).op(NONE);
                                }
                                p.op(SETITEMS, MARK);
                            }
                        }),
                        "65537 names, at most 65536"),
                new HostileFile("131,073 members", zip(many(131_073)), "zip directory"));
    }

    private static Map<String, byte[]> many(int count) {
        Map<String, byte[]> members = new LinkedHashMap<>();
        for (int i = 0; i < count; i++) {
            members.put("m/" + i, new byte[0]);
        }
        return members;
    }
}
