package dev.flagship.tensor;

import java.lang.foreign.MemorySegment;

/**
 * A kernel that a rung assembled, for people who want to read it.
 *
 * @param name operation, type, tile and instruction set; fit for a file name
 * @param code its instructions, read-only
 * @param disassembler command that reads them from a file whose name follows
 */
public record MachineCode(String name, MemorySegment code, String disassembler) {}
