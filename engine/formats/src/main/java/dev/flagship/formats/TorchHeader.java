package dev.flagship.formats;

import dev.flagship.formats.Pickled.Flag;
import dev.flagship.formats.Pickled.Items;
import dev.flagship.formats.Pickled.Mapping;
import dev.flagship.formats.Pickled.Storage;
import dev.flagship.formats.Pickled.Text;
import dev.flagship.formats.Pickled.View;
import dev.flagship.formats.Pickled.Whole;
import dev.flagship.tensor.DType;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.nio.ByteOrder;
import java.nio.charset.StandardCharsets;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.LinkedHashSet;
import java.util.List;
import java.util.Map;
import java.util.Set;
import org.jspecify.annotations.Nullable;

/**
 * The tensors of one PyTorch file, in either container (layout in the package's documentation): a
 * dictionary of names that one pickle describes, over storages that lie in the file as they are.
 */
final class TorchHeader {
    /**
     * How often all bytes of a file may be used: models share an embedding among up to four places,
     * and more would let a small file unfold into a large model.
     */
    private static final int MOST_USES = 4;

    private static final int LEGACY_PROTOCOL = 1001;
    private static final ValueLayout.OfLong COUNT =
            ValueLayout.JAVA_LONG_UNALIGNED.withOrder(ByteOrder.LITTLE_ENDIAN);

    private final Path file;
    private final MemorySegment bytes;
    private final int index;
    private final Map<String, Long> offsets = new LinkedHashMap<>();

    private TorchHeader(Path file, MemorySegment bytes, int index) {
        this.file = file;
        this.bytes = bytes;
        this.index = index;
    }

    /**
     * Reads what a file has.
     *
     * @throws FormatException if it breaks the format, or holds anything but tensors by name
     */
    static Shards.Head read(Path file, MemorySegment bytes, int index) {
        if (Signature.of(bytes) != Signature.PYTORCH) {
            throw Signature.mismatch(file, "a PyTorch file", bytes);
        }
        TorchHeader header = new TorchHeader(file, bytes, index);
        return header.tensors(Signature.isZip(bytes) ? header.archive() : header.stream());
    }

    private FormatException bad(String place, String problem, String remedy) {
        return new FormatException(file, place, problem, remedy);
    }

    private FormatException damaged(String place, String problem) {
        return bad(place, problem, HeaderReader.DAMAGED);
    }

    /** The zip archive of PyTorch 1.6 and later. */
    private Pickled archive() {
        StoredZip zip = StoredZip.read(file, bytes);
        StoredZip.Member pickle = pickle(zip);
        String root = pickle.name().substring(0, pickle.name().indexOf('/') + 1);
        if (zip.find(root + "constants.pkl") != null) {
            throw bad(
                    "zip member " + FormatException.quote(root + "constants.pkl"),
                    "this is a TorchScript program, not a checkpoint",
                    "Save the module's state_dict by torch.save.");
        }
        checkOrder(zip.find(root + "byteorder"));
        Unpickler unpickler = unpickler(pickle);
        Pickled result = unpickler.read();
        String data = root + "data/";
        for (Storage storage : unpickler.storages().values()) {
            StoredZip.Member member = zip.find(data + storage.key());
            if (member == null) {
                throw damaged(place(storage), "it is not in the file");
            }
            checkSize(storage, member.bytes());
            offsets.put(storage.key(), member.offset());
        }
        return result;
    }

    private static String place(Storage storage) {
        return "storage " + FormatException.quote(storage.key());
    }

    private StoredZip.Member pickle(StoredZip zip) {
        StoredZip.@Nullable Member found = null;
        for (StoredZip.Member member : zip.members().values()) {
            String name = member.name();
            if (name.endsWith("/data.pkl") && name.indexOf('/') == name.lastIndexOf('/')) {
                if (found != null) {
                    throw damaged("zip member " + FormatException.quote(name), "a second data.pkl");
                }
                found = member;
            }
        }
        if (found == null) {
            throw bad(
                    "zip directory",
                    "no data.pkl in it: this is a zip file, but not one of PyTorch",
                    "Unpack it if the model is inside, and name the model.");
        }
        return found;
    }

    private void checkOrder(StoredZip.@Nullable Member member) {
        if (member == null) {
            return; // before version 2 nobody wrote it, nor any order but this
        }
        long length = Math.min(member.bytes(), 16);
        String order =
                new String(
                        bytes.asSlice(member.offset(), length).toArray(ValueLayout.JAVA_BYTE),
                        StandardCharsets.ISO_8859_1);
        if (!order.equals("little")) {
            throw bad(
                    "zip member " + FormatException.quote(member.name()),
                    "the byte order is " + FormatException.quote(order) + ", expected little",
                    "Save the model again on a little-endian machine.");
        }
    }

    private Unpickler unpickler(StoredZip.Member pickle) {
        String place = "zip member " + FormatException.quote(pickle.name());
        if (pickle.bytes() > SafetensorsHeader.MAX_HEADER) {
            throw bad(
                    place,
                    pickle.bytes() + " bytes, at most " + SafetensorsHeader.MAX_HEADER,
                    HeaderReader.TOO_MANY);
        }
        if (!StoredZip.intact(pickle, bytes)) {
            throw damaged(place, "its CRC-32 is not what the directory says");
        }
        HeaderReader in = HeaderReader.of(file, bytes.asSlice(0, pickle.end()), pickle.offset());
        in.place("data.pkl");
        return new Unpickler(in);
    }

    private void checkSize(Storage storage, long found) {
        if (storage.elements() > found / storage.type().bytes
                || storage.elements() * storage.type().bytes != found) {
            throw damaged(
                    place(storage),
                    found
                            + " bytes for "
                            + storage.elements()
                            + " elements of "
                            + storage.type().title());
        }
    }

    /**
     * The stream of before version 1.6: magic number, protocol, system, tensors, keys of the
     * storages, each a pickle; then each storage as a count and its elements.
     */
    private Pickled stream() {
        HeaderReader in = HeaderReader.of(file, bytes);
        in.place("legacy stream");
        in.skip(Signature.LEGACY_MAGIC.length());
        in.place("protocol of the legacy stream");
        if (!(new Unpickler(in).read() instanceof Whole(long protocol))
                || protocol != LEGACY_PROTOCOL) {
            throw in.bad("another one than " + LEGACY_PROTOCOL, HeaderReader.DAMAGED);
        }
        in.place("system of the legacy stream");
        checkOrder(in, new Unpickler(in).read());
        in.place("pickle of the tensors");
        Unpickler unpickler = new Unpickler(in);
        Pickled result = unpickler.read();
        in.place("keys of the storages");
        Pickled keys = new Unpickler(in).read();
        if (!(keys instanceof Items list) || list.size() != unpickler.storages().size()) {
            throw in.bad(
                    "no list of the " + unpickler.storages().size() + " storages that tensors have",
                    HeaderReader.DAMAGED);
        }
        long at = in.position();
        for (int i = 0; i < list.size(); i++) {
            Storage storage =
                    list.get(i) instanceof Text(String key) ? unpickler.storages().get(key) : null;
            if (storage == null) {
                throw in.bad("a key that no tensor has", HeaderReader.DAMAGED);
            }
            at = placed(storage, at);
        }
        if (at != bytes.byteSize()) {
            throw damaged(
                    "end of the storages (byte " + at + ")",
                    (bytes.byteSize() - at) + " bytes are left");
        }
        return result;
    }

    private static void checkOrder(HeaderReader in, Pickled system) {
        if (system instanceof Mapping facts) {
            for (int i = 0; i < facts.size(); i++) {
                if (facts.key(i) instanceof Text(String name) && name.equals("little_endian")) {
                    if (facts.value(i) instanceof Flag(boolean little) && little) {
                        return;
                    }
                    throw in.bad(
                            "it is not little-endian",
                            "Save the model again on a little-endian machine.");
                }
            }
        }
        throw in.bad("it does not tell the byte order", HeaderReader.DAMAGED);
    }

    /** Notes where a storage lies, and gives where the next one begins. */
    private long placed(Storage storage, long at) {
        if (offsets.containsKey(storage.key())) {
            throw damaged(place(storage), "its key occurs twice");
        }
        long left = bytes.byteSize() - at - Long.BYTES;
        if (left < 0) {
            throw damaged(place(storage), "the file ends before it (byte " + at + ")");
        }
        long count = bytes.get(COUNT, at);
        if (count != storage.elements() || count > left / storage.type().bytes) {
            throw damaged(
                    place(storage) + " (byte " + at + ")",
                    Long.toUnsignedString(count)
                            + " elements of "
                            + storage.type().title()
                            + " claimed where "
                            + storage.elements()
                            + " were promised and "
                            + left
                            + " bytes are left");
        }
        offsets.put(storage.key(), at + Long.BYTES);
        return at + Long.BYTES + count * storage.type().bytes;
    }

    private Shards.Head tensors(Pickled root) {
        if (!(root instanceof Mapping names)) {
            throw bad("root of the pickle", "it is no dictionary of tensors", Unpickler.REMEDY);
        }
        if (names.size() > HeaderReader.MAX_TENSORS) {
            throw bad(
                    "root of the pickle",
                    names.size() + " names, at most " + HeaderReader.MAX_TENSORS + " are allowed",
                    HeaderReader.TOO_MANY);
        }
        List<TensorEntry> tensors = new ArrayList<>();
        Map<String, String> withheld = new LinkedHashMap<>();
        Set<String> seen = new LinkedHashSet<>();
        long used = 0;
        for (int i = 0; i < names.size(); i++) {
            if (!(names.key(i) instanceof Text(String name)) || name.isEmpty()) {
                throw bad("root of the pickle", "a key is no name", Unpickler.REMEDY);
            }
            if (!seen.add(name)) {
                throw damaged("tensor " + FormatException.quote(name), "the name occurs twice");
            }
            if (!(names.value(i) instanceof View view)) {
                withheld.put(name, "it is no tensor");
                continue;
            }
            TensorEntry entry = entry(name, view, withheld);
            if (entry != null) {
                tensors.add(entry);
                used = Math.addExact(used, entry.byteSize());
            }
        }
        if (tensors.isEmpty()) {
            throw bad(
                    "root of the pickle",
                    "no tensor among its " + names.size() + " names",
                    "Save the state_dict alone, not a dictionary around it.");
        }
        if (used / MOST_USES > bytes.byteSize()) {
            throw damaged(
                    "root of the pickle",
                    "tensors of "
                            + used
                            + " bytes look at a file of "
                            + bytes.byteSize()
                            + ", at most "
                            + MOST_USES
                            + " times as many can");
        }
        return new Shards.Head(tensors, withheld);
    }

    private @Nullable TensorEntry entry(String name, View view, Map<String, String> withheld) {
        Storage storage = view.storage();
        List<Long> shape = view.shape();
        boolean empty = shape.contains(0L);
        if (!empty && !fits(view)) {
            throw damaged(
                    "tensor " + FormatException.quote(name),
                    "shape "
                            + shape
                            + " with strides "
                            + view.strides()
                            + " from element "
                            + view.offset()
                            + " on does not lie in a storage of "
                            + storage.elements()
                            + ", or two elements share a place");
        }
        DType type = storage.type().type;
        if (type == null || empty) {
            withheld.put(
                    name,
                    empty
                            ? "its shape " + shape + " has no elements"
                            : "its type is " + storage.type().title());
            return null;
        }
        Long at = offsets.get(storage.key());
        if (at == null) {
            throw damaged(place(storage), "it is not in the file");
        }
        return new TensorEntry(
                name,
                type,
                shape,
                view.strides(),
                index,
                at + view.offset() * storage.type().bytes);
    }

    /**
     * Whether all elements lie in the storage, each at a place of its own: from the smallest stride
     * on, each must step over all that the ones before reach.
     */
    private static boolean fits(View view) {
        List<Integer> dimensions = new ArrayList<>();
        for (int i = 0; i < view.shape().size(); i++) {
            if (view.shape().get(i) != 1) {
                dimensions.add(i);
            }
        }
        dimensions.sort((a, b) -> Long.compare(view.strides().get(a), view.strides().get(b)));
        long last = 0;
        for (int i : dimensions) {
            long stride = view.strides().get(i);
            long steps = view.shape().get(i) - 1;
            if (stride <= last || stride > view.storage().elements() / steps) {
                return false;
            }
            last += steps * stride;
            if (last >= view.storage().elements()) {
                return false;
            }
        }
        return view.offset() < view.storage().elements() - last;
    }
}
