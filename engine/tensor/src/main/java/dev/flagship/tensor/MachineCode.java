package dev.flagship.tensor;

/**
 * A kernel that a rung assembled, for people who want to read it.
 *
 * @param name operation, type, tile and instruction set; fit for a file name
 * @param bytes its instructions
 * @param disassembler command that reads them from a file whose name follows
 */
public record MachineCode(String name, Bytes bytes, String disassembler) {

    /** Instructions that cannot be changed. */
    public static final class Bytes {
        private final byte[] bytes;

        /** Copies them. */
        public Bytes(byte[] bytes) {
            this.bytes = bytes.clone();
        }

        /** A copy. */
        public byte[] copy() {
            return bytes.clone();
        }

        /** How many there are. */
        public int size() {
            return bytes.length;
        }
    }
}
