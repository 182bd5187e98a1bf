/**
 * The x86-64 rung: kernels assembled at start for the CPU that is found. Knows nothing about
 * formats, models or requests.
 *
 * <p>Same bits as {@link dev.flagship.tensor.ScalarKernels}. What has no kernel here is delegated,
 * operation by operation, to the best other rung.
 *
 * <h2>Encodings</h2>
 *
 * A vector instruction is a prefix, an opcode, ModRM and what ModRM calls for (Intel SDM volume 2,
 * sections 2.3 and 2.7). Bits written ~ are inverted.
 *
 * <ul>
 *   <li>VEX: {@code C4 [~R ~X ~B map:5] [W ~vvvv:4 L pp:2]}, or {@code C5 [~R ~vvvv:4 L pp:2]}
 *       where X and B are not needed and the map is 0F
 *   <li>EVEX: {@code 62 [~R ~X ~B ~R' 0 map:3] [W ~vvvv:4 1 pp:2] [z L'L:2 b ~V' aaa:3]}: R' and V'
 *       are the fifth bits of register numbers, X that of a register in r/m; aaa names the mask, z
 *       zeroes what it excludes, b broadcasts one number
 *   <li>an 8-bit displacement of EVEX counts units of N bytes: the size of the memory operand,
 *       which under a broadcast is one number, 4
 * </ul>
 *
 * <h2>Calls</h2>
 *
 * Every kernel is {@code void(long params)}, params the address of a block of longs. Addresses
 * leave Java only after bounds and liveness were checked. A kernel is a leaf, keeps rbx, rbp and
 * r12–r15, leaves MXCSR alone and returns with clean upper halves.
 */
@NullMarked
package dev.flagship.kernels.x86;

import org.jspecify.annotations.NullMarked;
