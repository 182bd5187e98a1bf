package dev.flagship.formats;

import dev.flagship.base.Check;
import java.lang.foreign.MemorySegment;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Comparator;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.zip.CRC32;
import org.jspecify.annotations.Nullable;

/**
 * The directory of a zip file whose members are all stored as they are, as torch.save writes it
 * (PKWARE's APPNOTE.TXT 6.3.10). A member's bytes can then be used where they lie. What the
 * directory says is compared with each member's own header, and members do not overlap, so that no
 * two readers see different files in it.
 *
 * @param members by name, in the directory's order
 */
record StoredZip(Map<String, Member> members) {
    /** As many storages as tensors are allowed, and as many again for the rest. */
    static final int MAX_MEMBERS = 2 * HeaderReader.MAX_TENSORS;

    private static final int LOCAL = 0x04034b50;
    private static final int CENTRAL = 0x02014b50;
    private static final int END = 0x06054b50;
    private static final int END_64 = 0x06064b50;
    private static final int LOCATOR_64 = 0x07064b50;

    private static final int LOCAL_BYTES = 30;
    private static final int CENTRAL_BYTES = 46;
    private static final int END_BYTES = 22;
    private static final int END_64_BYTES = 56;
    private static final int LOCATOR_64_BYTES = 20;

    private static final int ENCRYPTED = 1;
    private static final int SIZES_FOLLOW = 8;
    private static final int ZIP64 = 1;
    private static final int MAX_NAME = 1024;
    private static final long IN_ZIP64 = 0xFFFF_FFFFL;
    private static final int COUNT_IN_ZIP64 = 0xFFFF;

    /**
     * One file in it.
     *
     * @param header offset of its own header
     * @param offset of its first byte, from the start of the zip file
     */
    record Member(String name, long header, long offset, long bytes, int crc) {
        long end() {
            return offset + bytes;
        }
    }

    /**
     * Reads the directory and all headers.
     *
     * @throws FormatException if they contradict each other or a member is compressed
     */
    static StoredZip read(Path file, MemorySegment bytes) {
        return new StoredZip(new Parse(file, bytes).members());
    }

    @Nullable Member find(String name) {
        return members.get(name);
    }

    /** Whether a member's bytes have the sum that the directory gives. Reads all of them. */
    static boolean intact(Member member, MemorySegment whole) {
        Check.check(
                member.bytes() <= HeaderReader.MAX_HEADER,
                "a member of %s bytes is too large to be summed up at once",
                member.bytes());
        CRC32 sum = new CRC32();
        sum.update(whole.asSlice(member.offset(), member.bytes()).asByteBuffer());
        return (int) sum.getValue() == member.crc();
    }

    /** Where the directory lies. */
    private record Directory(long offset, long bytes, long members) {}

    private record Parse(Path file, MemorySegment bytes) {
        Map<String, Member> members() {
            Directory directory = directory();
            if (directory.members > MAX_MEMBERS || directory.bytes > HeaderReader.MAX_HEADER) {
                throw bad(
                        directory.offset,
                        directory.members
                                + " members in a directory of "
                                + directory.bytes
                                + " bytes, at most "
                                + MAX_MEMBERS
                                + " and "
                                + HeaderReader.MAX_HEADER
                                + " are allowed",
                        HeaderReader.TOO_MANY);
            }
            HeaderReader in =
                    HeaderReader.of(
                            file,
                            bytes.asSlice(0, directory.offset + directory.bytes),
                            directory.offset);
            Map<String, Member> members = new LinkedHashMap<>();
            for (long i = 0; i < directory.members; i++) {
                in.place("zip directory");
                Member member = member(in, directory);
                if (members.put(member.name(), member) != null) {
                    throw in.bad("the name occurs twice", HeaderReader.DAMAGED);
                }
            }
            in.place("zip directory");
            if (in.left() != 0) {
                throw in.bad(in.left() + " bytes are left at its end", HeaderReader.DAMAGED);
            }
            refuseOverlap(members);
            return members;
        }

        private FormatException bad(long at, String problem, String remedy) {
            return new FormatException(file, "zip directory (byte " + at + ")", problem, remedy);
        }

        private HeaderReader end(long at, int size, int signature) {
            if (at < 0) {
                throw bad(
                        0,
                        "the file is too short for the end of a zip directory",
                        HeaderReader.DAMAGED);
            }
            HeaderReader in = HeaderReader.of(file, bytes.asSlice(0, at + size), at);
            in.place("end of the zip directory");
            if (in.int32() != signature) {
                throw in.bad(0, "a zip file ends otherwise", HeaderReader.DAMAGED);
            }
            return in;
        }

        /** A comment at the end, where a second directory could hide, is not allowed. */
        private Directory directory() {
            long at = bytes.byteSize() - END_BYTES;
            HeaderReader in = end(at, END_BYTES, END);
            boolean oneDisk = in.int32() == 0; // two numbers of disks
            int here = in.int16() & 0xFFFF;
            int members = in.int16() & 0xFFFF;
            long size = in.int32() & 0xFFFF_FFFFL;
            long offset = in.int32() & 0xFFFF_FFFFL;
            if (!oneDisk || here != members || in.int16() != 0) {
                throw in.bad("the zip file has several disks or a comment", HeaderReader.DAMAGED);
            }
            Directory directory = new Directory(offset, size, members);
            Directory large = directory64(at - LOCATOR_64_BYTES);
            if (large != null) {
                boolean same =
                        (members == COUNT_IN_ZIP64 || members == large.members)
                                && (size == IN_ZIP64 || size == large.bytes)
                                && (offset == IN_ZIP64 || offset == large.offset);
                if (!same) {
                    throw in.bad(
                            "two ends of the directory contradict each other",
                            HeaderReader.DAMAGED);
                }
                return large;
            }
            return ending(directory, at);
        }

        private @Nullable Directory directory64(long locator) {
            if (locator < 0 || HeaderReader.of(file, bytes, locator).int32() != LOCATOR_64) {
                return null;
            }
            HeaderReader in = end(locator, LOCATOR_64_BYTES, LOCATOR_64);
            boolean oneDisk = in.int32() == 0;
            long at = in.int64();
            if (!oneDisk || in.int32() != 1 || at != locator - END_64_BYTES) {
                throw in.bad("it does not follow on its large end", HeaderReader.DAMAGED);
            }
            HeaderReader end = end(at, END_64_BYTES, END_64);
            boolean plain = end.int64() == END_64_BYTES - 12;
            end.skip(4);
            plain &= end.int64() == 0; // two numbers of disks
            long here = end.int64();
            long members = end.int64();
            if (!plain || here != members) {
                throw end.bad("the zip file has several disks", HeaderReader.DAMAGED);
            }
            long size = end.int64();
            return ending(new Directory(end.int64(), size, members), at);
        }

        /** A directory ends where its end begins, and has room for what it claims. */
        private Directory ending(Directory directory, long at) {
            if (directory.offset < 0
                    || directory.bytes < 0
                    || directory.offset > at
                    || directory.bytes != at - directory.offset
                    || directory.members < 0
                    || directory.members > directory.bytes / CENTRAL_BYTES) {
                throw bad(
                        at,
                        Long.toUnsignedString(directory.members)
                                + " members in "
                                + Long.toUnsignedString(directory.bytes)
                                + " bytes from "
                                + Long.toUnsignedString(directory.offset)
                                + " on, which do not lie before its end",
                        HeaderReader.DAMAGED);
            }
            return directory;
        }

        private Member member(HeaderReader in, Directory directory) {
            if (in.int32() != CENTRAL) {
                throw in.bad("no member is described here", HeaderReader.DAMAGED);
            }
            in.skip(4);
            int flags = in.int16();
            int method = in.int16();
            in.skip(4);
            int crc = in.int32();
            long packed = in.int32() & 0xFFFF_FFFFL;
            long size = in.int32() & 0xFFFF_FFFFL;
            int nameBytes = in.int16() & 0xFFFF;
            int extraBytes = in.int16() & 0xFFFF;
            int commentBytes = in.int16() & 0xFFFF;
            int disk = in.int16();
            in.skip(6);
            long header = in.int32() & 0xFFFF_FFFFL;
            String name = name(in, nameBytes);
            in.place("zip member", name);
            int extraEnd = in.position() + extraBytes;
            long[] wide = zip64(in, extraBytes);
            int used = 0;
            size = size == IN_ZIP64 ? wide(in, wide, used++) : size;
            packed = packed == IN_ZIP64 ? wide(in, wide, used++) : packed;
            header = header == IN_ZIP64 ? wide(in, wide, used) : header;
            in.skip(extraEnd - in.position() + (long) commentBytes);
            if (method != 0 || (flags & ENCRYPTED) != 0 || packed != size || disk != 0) {
                throw in.bad(
                        method != 0
                                ? "it is compressed (method " + (method & 0xFFFF) + ")"
                                : "it is encrypted, or has two sizes or another disk",
                        "PyTorch stores tensors as they are: save the model again by torch.save.");
            }
            return located(in, directory, new Member(name, header, 0, size, crc));
        }

        private static String name(HeaderReader in, int nameBytes) {
            if (nameBytes == 0 || nameBytes > MAX_NAME) {
                throw in.bad(
                        "a name of " + nameBytes + " bytes, expected 1 to " + MAX_NAME,
                        HeaderReader.DAMAGED);
            }
            return in.text(nameBytes);
        }

        /** The numbers of the Zip64 field, or none if there is no such field. */
        private static long[] zip64(HeaderReader in, int extraBytes) {
            int end = in.position() + extraBytes;
            while (end - in.position() >= 4) {
                int id = in.int16() & 0xFFFF;
                int size = in.int16() & 0xFFFF;
                if (size > end - in.position()) {
                    throw in.bad("a field of it leaves its place", HeaderReader.DAMAGED);
                }
                if (id == ZIP64) {
                    long[] numbers = new long[Math.min(3, size / Long.BYTES)];
                    for (int i = 0; i < numbers.length; i++) {
                        numbers[i] = in.int64();
                    }
                    return numbers;
                }
                in.skip(size);
            }
            return new long[0];
        }

        private static long wide(HeaderReader in, long[] numbers, int index) {
            if (index >= numbers.length || numbers[index] < 0) {
                throw in.bad("its size or place is missing or negative", HeaderReader.DAMAGED);
            }
            return numbers[index];
        }

        /** Adds where the member's bytes begin, which only its own header tells. */
        private Member located(HeaderReader in, Directory directory, Member member) {
            long room = directory.offset - LOCAL_BYTES;
            if (member.header > room) {
                throw in.bad(
                        "its header at " + member.header + " lies outside of the file",
                        HeaderReader.DAMAGED);
            }
            HeaderReader own =
                    HeaderReader.of(file, bytes.asSlice(0, directory.offset), member.header);
            own.place("header of zip member", member.name);
            boolean starts = own.int32() == LOCAL;
            own.skip(2);
            int flags = own.int16();
            int method = own.int16();
            own.skip(8);
            long packed = own.int32() & 0xFFFF_FFFFL;
            long size = own.int32() & 0xFFFF_FFFFL;
            int nameBytes = own.int16() & 0xFFFF;
            int extraBytes = own.int16() & 0xFFFF;
            if (!starts
                    || method != 0
                    || !says(flags, size, member.bytes)
                    || !says(flags, packed, member.bytes)
                    || !own.text(nameBytes).equals(member.name)) {
                throw own.bad("it contradicts what the directory says of it", HeaderReader.DAMAGED);
            }
            own.skip(extraBytes);
            long offset = member.header + own.position();
            if (member.bytes > directory.offset - offset) {
                throw own.bad(
                        member.bytes
                                + " bytes claimed, but only "
                                + (directory.offset - offset)
                                + " are left",
                        HeaderReader.DAMAGED);
            }
            return new Member(member.name, member.header, offset, member.bytes, member.crc);
        }

        /** A header may leave a size to what follows the data, or to its Zip64 field. */
        private static boolean says(int flags, long found, long expected) {
            return found == expected
                    || found == IN_ZIP64
                    || (found == 0 && (flags & SIZES_FOLLOW) != 0);
        }

        private void refuseOverlap(Map<String, Member> members) {
            List<Member> byPlace = new ArrayList<>(members.values());
            byPlace.sort(Comparator.comparingLong(Member::header));
            for (int i = 1; i < byPlace.size(); i++) {
                Member before = byPlace.get(i - 1);
                Member member = byPlace.get(i);
                if (before.end() > member.header) {
                    throw new FormatException(
                            file,
                            "zip member " + FormatException.quote(member.name),
                            "it overlaps " + FormatException.quote(before.name),
                            HeaderReader.DAMAGED);
                }
            }
        }
    }
}
